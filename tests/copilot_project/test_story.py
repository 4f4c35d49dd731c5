"""The demo's story: which trade it tells, and a clock that goes on in its database alone."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection

from copilot_project.sandbox.market.bars import Bars
from copilot_project.story import clock
from copilot_project.story.plot import BAR_MS, NoPlotError, find_plot
from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe
from signals.engine.trend import breakouts, trades
from tests.factories import make_series, merge_bars

START = datetime(2025, 1, 1, tzinfo=UTC)


class Recorded:
    """One market of made-up 4h bars, where a recording's would be."""

    name = "recorded"
    symbols: tuple[str, ...] = ("BTCUSDT",)

    def __init__(self, candles: OHLCV) -> None:
        self.candles = candles

    def finest(self, symbol: str) -> str:
        return "4h"

    def bars(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Bars:
        each = self.candles
        return Bars(each.open_time, each.open, each.high, each.low, each.close, each.volume)


def test_the_story_is_a_trade_of_the_rule_whose_stop_passed_its_entry() -> None:
    candles = merge_bars(make_series(bars=9_600, start=START, seed=2), Timeframe.H4)
    plot = find_plot(Recorded(candles))
    done = trades(candles)
    [place] = np.flatnonzero(candles.open_time[done.rows] + BAR_MS == plot.decided_at)
    assert plot.exited_at == done.outcomes.exited_at[place] + BAR_MS
    assert plot.decided_at < plot.raised_at < plot.exited_at
    row, raised = (
        int(np.searchsorted(candles.open_time, each - BAR_MS)) for each in (plot.decided_at, plot.raised_at)
    )
    behind = candles.close[row : raised + 1].max() - 4 * breakouts(candles).ranges[raised]
    assert behind > candles.close[row]
    assert "promise risk" in plot.record


def test_too_short_a_history_tells_none() -> None:
    candles = merge_bars(make_series(bars=2_400, start=START, seed=2), Timeframe.H4)
    with pytest.raises(NoPlotError, match="longer history"):
        find_plot(Recorded(candles))


@pytest.mark.django_db
def test_the_storys_database_tells_the_time_that_it_is_turned_to() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path')")
        [before] = cursor.fetchone()
        clock.make_clock(cursor.execute)
        cursor.execute("SET LOCAL search_path = public, story, pg_catalog")
        moment = START + timedelta(days=3)
        cursor.execute(clock.TURN, [moment])
        cursor.execute("SELECT clock_timestamp(), now(), statement_timestamp(), pg_catalog.now()")
        *told, real = cursor.fetchone()
        cursor.execute(f"SET LOCAL search_path = {before}")
    assert all(abs(each - moment) < timedelta(minutes=5) for each in told)
    assert real - moment > timedelta(days=1)

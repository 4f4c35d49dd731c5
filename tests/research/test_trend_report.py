"""The trend rule's part of the report: from which files, from when, and what it says of a stretch."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from research.services.reasons_study import study_reasons, supports, what_speaks
from research.services.report_from_files import load_longer, pairs_in, report_from_files
from research.services.trend_study import ENTRIES, held, portfolio, results, study_trend
from signals.engine.candle import OHLCV
from signals.engine.evidence import NOTHING, Measured
from signals.engine.hybrid import explain
from signals.engine.in_words import share_of_profit, trend_sentence
from signals.engine.moment import instant
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe, resample
from signals.engine.trend import FROZEN, breakouts
from signals.engine.trend_reasons import VETOES, reasons_of
from signals.market.providers.candle_file import FileRefusedError
from tests.factories import make_series

START = datetime(2026, 1, 1, tzinfo=UTC)
HOURLY = {
    name: make_series(bars=4_800, start=START, seed=seed) for name, seed in (("BTCUSDT", 1), ("ETHUSDT", 2))
}
MARKETS = {name: resample(each, "4h", "1h") for name, each in HOURLY.items()}


def write(folder: Path, name: str, candles: OHLCV) -> None:
    columns = ("open", "high", "low", "close", "volume")
    table = {"timestamp": candles.open_time, **{each: getattr(candles, each) for each in columns}}
    pq.write_table(pa.table(table), folder / name)


def report(folder: Path, start: datetime | None = None, *, with_strategies: bool = False) -> str:
    return report_from_files(
        folder=folder,
        pairs=[],
        start=start,
        end=None,
        every=7,
        with_strategies=with_strategies,
        progress=lambda done, total, message: None,
    )


def test_4h_is_made_of_1h_where_it_is_not_stored(tmp_path: Path) -> None:
    write(tmp_path, "ETHUSDT_1h.parquet", HOURLY["ETHUSDT"])
    write(tmp_path, "BTCUSDT_4h.parquet", MARKETS["BTCUSDT"])
    assert pairs_in(tmp_path) == ["BTCUSDT", "ETHUSDT"]
    for pair, expected in MARKETS.items():
        np.testing.assert_allclose(load_longer(tmp_path, pair, None).close, expected.close)


def test_a_folder_without_earlier_history_warms_up_inside_it_and_says_from_when_it_decides(
    tmp_path: Path,
) -> None:
    for name, each in HOURLY.items():
        write(tmp_path, f"{name}_1h.parquet", each)
    text = report(tmp_path, START)
    assert "can decide from 2026-01-21 00:00 UTC; decisions are counted from 2026-01-01 on" in text
    assert "| entries | 2026 |" in text
    assert "--from 2026-01-01" in text
    assert "Frozen on 2026-11-28: L = 120, k = 4" in text


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="holds no candles"):
        report(tmp_path)


def test_a_folder_of_longer_candles_alone_is_read_and_says_what_is_left_out(tmp_path: Path) -> None:
    for name, each in MARKETS.items():
        write(tmp_path, f"{name}_4h.parquet", each)
        write(tmp_path, f"{name}_1d.parquet", resample(each, "1d", "4h"))
    text = report(tmp_path, START, with_strategies=True)
    assert "holds no 1h candles" in text
    assert "### What each reason would be worth as a veto" in text
    assert "| 1h score | 0 | – |" in text
    assert "neutral: files of candles hold no readings" in text
    assert f"In use: {', '.join(VETOES) or 'none'}." in text


def test_what_speaks_of_an_entry_is_what_live_would_hear() -> None:
    hours = make_series(bars=9_000, start=START, seed=3)
    longer = resample(hours, "4h", "1h")
    lengths = {Timeframe.H1: hours, Timeframe.H4: longer, Timeframe.D1: resample(hours, "1d", "1h")}
    rows = breakouts(longer).rows
    rows = rows[rows > 6 * 320][::20]  # live decides nothing without 308 days
    assert len(rows) > 0
    spoken = what_speaks(lengths, rows, None)
    for place, row in enumerate(rows):
        closed_at = int(longer.open_time[row]) + Timeframe.H4.milliseconds
        windows = {each: candles[: closed(candles, each, closed_at)] for each, candles in lengths.items()}
        decision = explain(windows, DecisionContext(as_of=instant(closed_at)))
        said = {each.name: each.value for each in reasons_of(decision)}
        for name, values in spoken.items():
            if name.startswith("regime"):
                assert (values[place] < 0) == (name in said)
            else:
                assert values[place] == pytest.approx(said.get(name, 0.0), abs=1e-9), name
        assert decision.scores


def closed(candles: OHLCV, timeframe: Timeframe, moment: int) -> int:
    """How many of the candles had closed."""
    return int(np.searchsorted(candles.open_time, moment - timeframe.milliseconds, "right"))


def test_a_veto_is_supported_where_what_it_ends_surely_lost_on_both_sides_of_2024() -> None:
    lost, flat = Measured(200, 80, -0.4, 0.05), Measured(200, 80, 0.0, 0.05)
    half = Measured(60, 40, -0.4, 0.1)
    assert supports(lost, half, half, 3.0)
    assert not supports(flat, half, half, 3.0)
    assert not supports(lost, half, Measured(60, 40, 0.1, 0.1), 3.0)
    assert not supports(lost, Measured(29, 25, -0.4, 0.1), half, 3.0)
    assert not supports(NOTHING, NOTHING, NOTHING, 3.0)


def test_a_vetos_worth_is_that_of_the_rule_without_the_trades_that_it_ends() -> None:
    lengths = {name: {Timeframe.H4: each} for name, each in MARKETS.items()}
    found = {each.name: each for each in study_reasons(lengths, since=None, on_step=lambda step: None)}
    whole = results(MARKETS, ENTRIES["the rule"], FROZEN, None)
    for name, each in found.items():
        assert each.ended.n <= len(whole)
        assert each.earned == pytest.approx(each.kept.mean - whole.net.mean()), name
    assert not any(each.is_supported for each in found.values())
    assert found["1h score"].ended.n == 0


def test_earlier_candles_are_warm_up_and_a_trade_held_at_the_start_bars_the_next() -> None:
    since = START + timedelta(days=100)
    whole = results(MARKETS, ENTRIES["the rule"], FROZEN, None)
    later = results(MARKETS, ENTRIES["the rule"], FROZEN, since)
    kept = whole.closed_at >= int(since.timestamp() * 1000)
    assert 0 < len(later) < len(whole)
    np.testing.assert_array_equal(later.net, whole.net[kept])


def test_what_was_paid_is_the_difference_between_gross_and_net() -> None:
    for entries in ENTRIES.values():
        found = results(MARKETS, entries, FROZEN, None)
        assert len(found) > 5
        assert (found.gross > found.net).all()


def test_the_portfolio_of_one_trade_earns_its_risked_share() -> None:
    market = {"BTCUSDT": MARKETS["BTCUSDT"]}
    curve, found = portfolio(market), results(market, ENTRIES["the rule"], FROZEN, None)
    # 1 % is risked in each trade and no share is full here: the sum of log growth is about 1 % of the sum of R.
    assert np.log1p(curve.returns).sum() == pytest.approx(0.01 * found.net.sum(), abs=0.02)
    assert np.expm1(np.log1p(held(market).returns).sum()) == pytest.approx(
        market["BTCUSDT"].close[-1] / market["BTCUSDT"].close[0] - 1
    )


def test_pairs_with_too_few_candles_are_named() -> None:
    young = {"BTCUSDT": MARKETS["BTCUSDT"], "NEWUSDT": MARKETS["ETHUSDT"][:100]}
    study = study_trend(young, since=None, on_step=lambda step: None)
    assert study.begins["NEWUSDT"] is None
    assert study.begins["BTCUSDT"] == START + timedelta(milliseconds=120 * Timeframe.H4.milliseconds)


def test_the_sentence_says_how_often_it_wins_and_what_carries_it() -> None:
    said = trend_sentence([-0.4] * 60 + [0.5] * 38 + [20.0] * 2)
    assert said.startswith(
        "Of 100 trades 40% won; the typical one loses (-0.40 R); the best 5 % of trades make 119%"
    )
    assert "not proven" in said
    assert "nothing was earned" in trend_sentence([-1.0] * 5)
    assert np.isnan(share_of_profit([]))

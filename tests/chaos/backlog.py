"""Instruments with candles that nobody has judged, the newest of which hold a signal."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice

from signals.engine.candle import OHLCV
from signals.engine.hybrid import explain
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import WINDOW_BARS, Timeframe
from signals.market.models import Instrument
from signals.market.services.candles import store_candles
from signals.services.evaluation import evaluate
from tests.factories import make_instrument, make_series, merge_bars, tail

HOUR = timedelta(hours=1)
DAYS = WINDOW_BARS + 12
KINDS = 4

Stored = dict[Timeframe, OHLCV]


def make_backlog(*, instruments: int, missed: int) -> tuple[list[Instrument], datetime]:
    """That many instruments lacking `missed` evaluations each, and the moment at which the newest closed.

    The candle before those is judged, because the sweeper looks at nothing older than the first evaluation.
    """
    closed_at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    kinds = list(islice(_series_that_signal(closed_at, missed), KINDS))
    made = []
    for number in range(instruments):
        instrument = make_instrument()
        for timeframe, candles in kinds[number % KINDS].items():
            store_candles(instrument=instrument, timeframe=timeframe, candles=candles)
        first = closed_at - missed * HOUR
        evaluate(instrument=instrument, candle_open_time=first - HOUR, as_of=closed_at)
        made.append(instrument)
    return made, closed_at


def _series_that_signal(closed_at: datetime, missed: int) -> Iterator[Stored]:
    start = closed_at.replace(hour=0) - timedelta(days=DAYS)
    bars = int((closed_at - start) / HOUR)
    for seed in count(1):
        hourly = make_series(bars=bars, start=start, seed=seed)
        stored = {
            Timeframe.H1: hourly,
            Timeframe.H4: merge_bars(hourly, Timeframe.H4),
            Timeframe.D1: merge_bars(hourly, Timeframe.D1),
        }
        windows = {timeframe: tail(candles, WINDOW_BARS) for timeframe, candles in stored.items()}
        if explain(windows, DecisionContext(as_of=closed_at)).signal:
            enough = WINDOW_BARS + missed + 4
            yield {timeframe: tail(candles, enough) for timeframe, candles in stored.items()}

"""What the chart page of one instrument reads: stored range, signals of a stretch of time, newest evaluations."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Max, Min, QuerySet

from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Instrument
from signals.market.selectors import load_window
from signals.models import Evaluation, Signal, SignalSource

BARS = 240


@dataclass(frozen=True)
class StoredRange:
    """Open times of the oldest and the newest stored candle."""

    timeframe: Timeframe
    first: datetime
    newest: datetime


def stored_ranges(*, instrument: Instrument) -> list[StoredRange]:
    """The timeframes of which there is a candle, the shortest first; two look-ups in the index for each."""
    found = []
    for timeframe in Timeframe:
        candles = Candle.objects.filter(instrument=instrument, timeframe=timeframe)
        ends = candles.aggregate(first=Min("open_time"), newest=Max("open_time"))
        if ends["first"]:
            found.append(StoredRange(timeframe, **ends))
    return found


def bars_until(*, instrument: Instrument, timeframe: Timeframe, until: datetime) -> OHLCV:
    """The newest BARS candles that had closed by then."""
    return load_window(instrument_id=instrument.pk, timeframe=timeframe, bars=BARS, as_of=until)


def signals_between(*, instrument: Instrument, start: datetime, end: datetime) -> QuerySet[Signal]:
    """Published in that stretch, the newest first, with how they ended."""
    rows = Signal.objects.with_instrument().filter(instrument=instrument)
    return rows.filter(published_at__gte=start, published_at__lte=end).select_related("outcome")


def newest_evaluations(*, instrument: Instrument, count: int) -> QuerySet[Evaluation]:
    """Of the fused decision; an autopilot's stand on its own page, candle by candle."""
    fused = Evaluation.objects.filter(instrument=instrument, source=SignalSource.HYBRID.value)
    return fused.select_related("signal")[:count]


def shown_span(bars: OHLCV, timeframe: Timeframe) -> tuple[datetime, datetime]:
    """From the first bar's opening to the last one's close."""
    first, last = int(bars.open_time[0]), timeframe.close_time(int(bars.open_time[-1]))
    return _instant(first), _instant(last)


def earlier(start: datetime, timeframe: Timeframe) -> datetime:
    """Where the page before ends, so that the two share a few bars."""
    return start + timedelta(seconds=20 * timeframe.seconds)


def _instant(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)

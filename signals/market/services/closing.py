"""Candles at the moment of their close: asked for then, not at the next tick."""

from datetime import UTC, datetime, timedelta

from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.market.models import Exchange, Instrument
from signals.market.selectors import newest_open_time
from signals.market.services.guard import guarded
from signals.market.services.sync import sync_candles

# A decision on the base timeframe reads the longer candles that closed with it, so these come first.
LONGEST_FIRST = (Timeframe.D1, Timeframe.H4, BASE_TIMEFRAME)


def next_close(as_of: datetime) -> datetime:
    """The next close of the base timeframe after `as_of`, the exchange's time."""
    period = timedelta(seconds=BASE_TIMEFRAME.seconds)
    moment = round(as_of.timestamp() * 1000)
    return datetime.fromtimestamp(BASE_TIMEFRAME.floor(moment) / 1000, UTC) + period


def sync_closed(*, exchange: Exchange, closed_at: datetime, as_of: datetime) -> int:
    """Fetch the candles that closed at `closed_at`, instrument by instrument; return how many lack theirs still.

    What is stored already is not asked for again. One instrument's failure does not stop the others.
    """
    lacking = 0
    for instrument in exchange.instruments.active().select_related("exchange"):
        for timeframe in LONGEST_FIRST:
            if not _is_due(instrument, timeframe, closed_at):
                continue
            with guarded(f"candles {timeframe}", f"{exchange.code} {instrument}"):
                sync_candles(instrument=instrument, timeframe=timeframe, as_of=as_of)
        lacking += _is_due(instrument, BASE_TIMEFRAME, closed_at)
    return lacking


def _is_due(instrument: Instrument, timeframe: Timeframe, closed_at: datetime) -> bool:
    """Whether a bar of the timeframe closed at that moment and is not stored."""
    moment = round(closed_at.timestamp() * 1000)
    if timeframe.floor(moment) != moment:
        return False
    newest = newest_open_time(instrument_id=instrument.pk, timeframe=timeframe)
    return newest is None or newest < closed_at - timedelta(seconds=timeframe.seconds)

"""How long a trade lasts at most. Apart from the compiled code that follows signals, so that messages can tell it."""

from datetime import UTC, datetime, timedelta

HORIZON_BARS = 24
VALIDITY_BARS = 4  # within which entering still makes sense
PROMPT = timedelta(minutes=5)  # see `signals.engine.entry`
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def out_by(
    *, candle_open_time: datetime, period: timedelta, published_at: datetime, hold_bars: int = HORIZON_BARS
) -> datetime:
    """The opening at which a signal ends that reached neither stop nor target, where no candle is missing.

    candle_open_time: of the candle on which it was decided; period: of its timeframe. All aware.
    """
    entered_at = candle_open_time + period
    if published_at - entered_at > PROMPT:
        entered_at = EPOCH - (EPOCH - published_at) // period * period  # the first opening from then on
    return entered_at + hold_bars * period

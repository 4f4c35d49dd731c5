"""What signals does when the market speaks."""

from datetime import datetime
from typing import Any

from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.selectors import waiting_for_partner
from signals.services.wake_up import wake_up
from signals.tasks import evaluate_candle


def evaluate_closed_candle(
    *, instrument_id: int, timeframe: Timeframe, open_times: list[datetime], as_of: datetime, **kwargs: Any
) -> None:
    """Wake a worker for the newest candle, and for those who waited for it as their partner's.

    Older candles, if they were ever missed, are the sweeper's.
    """
    if timeframe is BASE_TIMEFRAME and open_times:
        newest = open_times[-1]
        for each in (instrument_id, *waiting_for_partner(partner_id=instrument_id, open_time=newest)):
            wake_up(evaluate_candle, each, newest.isoformat(), as_of.isoformat())

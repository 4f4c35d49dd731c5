"""What the autopilot does when the market speaks."""

from datetime import datetime
from typing import Any

from autopilot.models import AccountKind, Position
from autopilot.tasks import wake_broker
from signals.engine.timeframe import Timeframe


def fill_on_closed_candle(
    *, instrument_id: int, timeframe: Timeframe, as_of: datetime, **kwargs: Any
) -> None:
    """Wake the paper broker where anything is held or waits on candles of this timeframe."""
    there = Position.objects.alive().filter(instrument_id=instrument_id, timeframe=timeframe.value)
    if there.filter(account__kind=AccountKind.PAPER).exists():
        wake_broker(instrument_id, timeframe, as_of)

"""What one decision is about: at most one evaluation and one signal for each."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.market.models import Instrument
from signals.models import SignalSource


@dataclass(frozen=True, slots=True)
class CandleKey:
    instrument: Instrument
    candle_open_time: datetime
    timeframe: Timeframe = BASE_TIMEFRAME
    source: SignalSource = SignalSource.HYBRID
    variant: str = ""

    def columns(self) -> dict[str, Any]:
        """The columns of Evaluation and Signal that hold it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

"""Votes besides the strategies', in the fused decision: those of trained policies, and what other apps bring.

An app above registers by dotted path how its vote is asked for; the path is imported when a decision first asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument

if TYPE_CHECKING:
    from signals.engine.candle import OHLCV, FloatArray


@dataclass(frozen=True, slots=True)
class Heard:
    """votes: for the decision's context, empty where nobody may vote. features: what each model says, those that
    are not in use as well: their shadow."""

    votes: "Mapping[str, FloatArray]" = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)

    def __or__(self, other: "Heard") -> "Heard":
        return Heard({**self.votes, **other.votes}, {**self.features, **other.features})


_sources: list[str] = []


def register_vote(path: str) -> None:
    """`path` names a function of instrument, windows and as_of that returns a `Heard`."""
    if path not in _sources:
        _sources.append(path)


def other_votes(*, instrument: Instrument, windows: "Mapping[Timeframe, OHLCV]", as_of: datetime) -> Heard:
    heard = Heard()
    for path in _sources:
        heard |= import_string(path)(instrument=instrument, windows=windows, as_of=as_of)
    return heard

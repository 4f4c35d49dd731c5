"""What the blend says: of one moment in words, of many as columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray, TimeArray
from signals.engine.decided import Outcome
from signals.engine.regime import Regime
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DirectionArray, StrategySignal
from signals.engine.timeframe import TIMEFRAME_WEIGHTS, Timeframe

CodeArray = npt.NDArray[np.int8]


OUTCOMES = tuple(Outcome)
STRATEGY_NAMES = tuple(STRATEGIES)


class Why(IntEnum):
    """Why a row of a series is what it is; what stands before SILENT is a refusal."""

    NOT_CLOSED = 0
    NO_CANDLES = 1
    TOO_OLD = 2
    TOO_CLOSE = 3
    BAD_PRICE = 4
    TOO_SHORT = 5
    STILL = 6
    SILENT = 7
    WEAK = 8
    NO_NEWS = 9
    NO_LEVELS = 10
    STOP_WITHIN_COSTS = 11
    STOP_WITHIN_TICKS = 12
    MOOD_ALONE = 13
    MOOD_VETO = 14
    SIGNAL = 15

    @property
    def outcome(self) -> Outcome:
        if self is Why.SIGNAL:
            return Outcome.SIGNAL
        ends = (Why.STOP_WITHIN_COSTS, Why.STOP_WITHIN_TICKS, Why.MOOD_VETO)
        refused = self < Why.SILENT or self in ends
        return Outcome.REFUSED if refused else Outcome.NONE


@dataclass(frozen=True, slots=True)
class Vote:
    """A strategy's newest event on one timeframe; `confidence` is signed, decayed by age and by its regime."""

    strategy: str
    timeframe: Timeframe
    confidence: float
    age: int
    reason: str
    fresh: bool
    weight: float | None = None

    @property
    def contribution(self) -> float:
        """Weight in the direction of the vote, before the timeframe's mean is taken."""
        weight = TIMEFRAME_WEIGHTS[self.timeframe] if self.weight is None else self.weight
        return weight * self.confidence


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and why: a signal, none, or a refusal to decide on these windows.

    regimes: of each timeframe's last bar, where it is known. abstentions: who could not judge, and why.
    features: what else was known, by name; who asked adds them, and they are kept for later models.
    """

    outcome: Outcome
    reason: str
    signal: StrategySignal | None = None
    score: float = 0.0
    scores: Mapping[Timeframe, float] = field(default_factory=dict)
    votes: tuple[Vote, ...] = ()
    regimes: Mapping[Timeframe, Regime] = field(default_factory=dict)
    abstentions: tuple[str, ...] = ()
    features: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class DecisionSeries:
    """The decision at the close of every base bar, one row each; a row knows nothing of the rows after it.

    open_time: of the base bar, int64 UTC ms. outcome: int8, place in OUTCOMES. why: int8, a `Why`.
    direction: int8 1 or -1 where outcome is a signal, else 0; there confidence is 0, stop_loss and
    take_profit are NaN and strategy is -1. entry_price: float64, the close, in every row.
    strategy: int8, place in STRATEGY_NAMES of the strongest supporter.
    score: float64, 0 where refused; scores: (rows, timeframes) in the order of `timeframes`.
    regimes: int8 (rows, timeframes), place in engine.regime.REGIMES, UNKNOWN where it is not known.
    """

    open_time: TimeArray
    outcome: CodeArray
    why: CodeArray
    direction: DirectionArray
    confidence: FloatArray
    score: FloatArray
    scores: FloatArray
    entry_price: FloatArray
    stop_loss: FloatArray
    take_profit: FloatArray
    strategy: CodeArray
    regimes: CodeArray
    timeframes: tuple[Timeframe, ...]

    def __len__(self) -> int:
        return len(self.open_time)

    @property
    def signal_rows(self) -> npt.NDArray[np.intp]:
        """The rows that hold a signal."""
        return np.flatnonzero(self.direction)

"""The contract between a strategy and everything that runs it: live, replay, research, autopilot.

A strategy looks at one window of closed bars and says, for every row, whether something happened
there that is worth a trade. Live is the last row of the same arrays that a backtest reads whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.direction import Direction
from signals.engine.exit_plan import ExitPlan, PlanKind

DirectionArray = npt.NDArray[np.int8]
Number = TypeVar("Number", int, float)
P = ParamSpec("P")
R = TypeVar("R")


class StrategyGroup(StrEnum):
    TREND_FOLLOWING = "trend_following"
    MEAN_REVERSION = "mean_reversion"
    MOMENTUM = "momentum"
    MARKET_MAKING = "market_making"
    SENTIMENT_BASED = "sentiment_based"


class WindowError(ValueError):
    """A window is too short or too broken to decide on; the message says why."""


def require_window(window: OHLCV, minimum_bars: int, strategy: str) -> None:
    """Refuse a window that the strategy cannot judge: too few bars, or prices at or below zero."""
    if len(window) < minimum_bars:
        raise WindowError(f"{strategy} needs {minimum_bars} bars, the window has {len(window)}")
    if (window.low <= 0).any():
        row = int(np.argmax(window.low <= 0))
        raise WindowError(f"{strategy}: row {row} has a low of {window.low[row]}, prices must be positive")


@dataclass(frozen=True, slots=True)
class StrategySignal:
    """One proposed trade. ValueError unless stop, entry and target stand in the order of its direction.

    A trade without a target is managed: it brings the plan by which it is left. One without a plan has a fixed stop
    and target.
    """

    strategy: str
    direction: Direction
    confidence: float
    entry_price: float
    stop_loss: float
    take_profit: float | None
    reasons: tuple[str, ...]
    plan: ExitPlan | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence {self.confidence} is outside 0 to 1")
        prices = (self.stop_loss, self.entry_price, *([] if self.take_profit is None else [self.take_profit]))
        if not (np.isfinite(prices).all() and min(prices) > 0):
            raise ValueError(f"stop, entry and target must be finite and positive, not {prices}")
        if not (np.diff(prices) * self.direction.sign > 0).all():
            raise ValueError(f"{self.direction} needs its entry between stop and target, not {prices}")
        plan = self.exit_plan
        if (plan.stop, plan.target) != (self.stop_loss, self.take_profit):
            raise ValueError(f"the plan {plan} is not of stop {self.stop_loss} and target {self.take_profit}")

    @property
    def exit_plan(self) -> ExitPlan:
        """ValueError where there is neither a target nor a plan."""
        if self.plan is not None:
            return self.plan
        return ExitPlan(PlanKind.FIXED, self.stop_loss, self.take_profit)


@dataclass(frozen=True, slots=True, eq=False)
class DecisionContext:
    """What is known at `as_of` (aware) besides the candles; an absent input stays at its default.

    votes: signed confidence in [-1, 1] by source name, each a float64 array aligned to the window's
        end (the last value speaks of the last bar; a model that only knows "now" gives one value).
    sentiment: -1 (bearish) to 1 (bullish); readings of many bars are aligned like votes, NaN where none was
        known, and one number speaks of the last bar only.
    volatility: forecast deviation of the log return until a signal of now expires (hybrid.VALIDITY_BARS);
        of many bars like sentiment.
    weights: feedback weight 0.5 to 1.5 by strategy name; orders what is shown, never moves a confidence.
    partner: bars of the instrument that this one is paired with, of the window's timeframe.
    anomaly: isolation-forest score of the last base bar, 0 to 1; only a caution to whoever reads the signal.
    round_trip_cost: what entering and leaving costs, a ratio of the entry; tick: the step of the price. A stop too
        near for either is refused; nothing is where they are not known.
    memo: what `once` has computed; only who asks many strategies about one window brings one.
    """

    as_of: datetime
    votes: Mapping[str, FloatArray] = field(default_factory=dict)
    sentiment: float | FloatArray | None = None
    volatility: float | FloatArray | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    partner: OHLCV | None = None
    anomaly: float | FloatArray | None = None
    round_trip_cost: float | None = None
    tick: float | None = None
    memo: dict[Any, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.as_of.tzinfo is None:
            raise ValueError("as_of must be an aware datetime: a naive one does not say when it is")

    def once(self, function: Callable[P, R], *arguments: P.args, **parameters: P.kwargs) -> R:
        """`function` of these arguments, computed once for all strategies that share this context's memo.

        Arrays are told apart by identity: give the window's columns, not copies, and leave the result as it is.
        """
        if self.memo is None:
            return function(*arguments, **parameters)
        told_apart = [id(each) if isinstance(each, np.ndarray) else each for each in arguments]
        key = (function, *told_apart, *parameters.items())
        if key not in self.memo:
            # The arguments are kept too: an id is taken only as long as its object lives.
            self.memo[key] = (arguments, function(*arguments, **parameters))
        result: R = self.memo[key][1]
        return result


@dataclass(frozen=True, slots=True, eq=False)
class StrategySeries:
    """A strategy's opinion for every row of a window.

    direction int8 -1, 0, 1; where it is 0, confidence is 0 and stop_loss and take_profit are NaN.
    A non-zero row is an event (a signal born at that bar's close), not a standing state.
    missing: the input without which the strategy cannot judge the last bar, in words; that row is silent.
    judged: the rows that it could judge; None means all, or none where something is `missing`.
    """

    strategy: str
    direction: DirectionArray
    confidence: FloatArray
    entry_price: FloatArray
    stop_loss: FloatArray
    take_profit: FloatArray
    describe: Callable[[int], str]
    missing: str = ""
    judged: npt.NDArray[np.bool_] | None = None

    def judges(self) -> npt.NDArray[np.bool_]:
        """Whether the strategy could judge each row."""
        return np.full(len(self), not self.missing) if self.judged is None else self.judged

    def __len__(self) -> int:
        return len(self.direction)

    def reason(self, row: int) -> str:
        """Why the strategy spoke at `row`, in words; ValueError where it was silent."""
        if self.direction[row] == 0:
            raise ValueError(f"{self.strategy} was silent at row {row}: there is no reason to give")
        return self.describe(row)

    def signal(self, row: int = -1) -> StrategySignal | None:
        """The trade proposed at `row`'s close, or None where the strategy was silent."""
        if self.direction[row] == 0:
            return None
        return StrategySignal(
            strategy=self.strategy,
            direction=Direction.LONG if self.direction[row] > 0 else Direction.SHORT,
            confidence=float(self.confidence[row]),
            entry_price=float(self.entry_price[row]),
            stop_loss=float(self.stop_loss[row]),
            take_profit=float(self.take_profit[row]),
            reasons=(self.reason(row),),
        )


def parameter(default: Number, low: Number, high: Number) -> Number:
    """A dataclass field of `Parameters` with inclusive bounds (which a search over parameters can read)."""
    return field(default=default, metadata={"bounds": (low, high)})


@dataclass(frozen=True, slots=True)
class Parameters:
    """Base of a strategy's parameters; ValueError on a value outside its bounds."""

    def __post_init__(self) -> None:
        for each in fields(self):
            low, high = bounds(each)
            value = getattr(self, each.name)
            if not low <= value <= high:
                raise ValueError(f"{each.name} is {value}; it must be between {low} and {high}")


@dataclass(frozen=True, slots=True)
class LevelParameters(Parameters):
    """Stop and target in average true ranges from the entry."""

    atr_period: int = parameter(14, 2, 100)
    stop_atr: float = parameter(2.0, 0.25, 10.0)
    target_atr: float = parameter(3.0, 0.25, 20.0)


def bounds(each: Field[Any]) -> tuple[float, float]:
    low, high = each.metadata["bounds"]
    return low, high


class Strategy(Protocol):
    """What a strategy offers. `minimum_bars` includes the warm-up of its indicators."""

    @property
    def name(self) -> str: ...
    @property
    def group(self) -> StrategyGroup: ...
    @property
    def parameters(self) -> Parameters: ...
    @property
    def minimum_bars(self) -> int: ...

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        """Opinion for every row, each from that row's past only; WindowError if the window will not do."""
        ...


def build_series(
    strategy: str,
    window: OHLCV,
    *,
    events: DirectionArray,
    confidence: FloatArray,
    atr: FloatArray,
    stop_atr: float,
    target_atr: float,
    describe: Callable[[int], str],
) -> StrategySeries:
    """Put stop and target at multiples of the ATR around each event's close.

    An event is dropped where its levels cannot be drawn: no confidence or ATR yet (NaN), a market that
    does not move (ATR 0), or one so wild that a level would stand at or below zero.
    """
    direction, sure, stop_loss, take_profit = _drawn(
        events, confidence, atr, window.close, float(stop_atr), float(target_atr)
    )
    return StrategySeries(strategy, direction, sure, window.close, stop_loss, take_profit, describe)


@njit(cache=True)
def _drawn(
    events: DirectionArray,
    confidence: FloatArray,
    atr: FloatArray,
    close: FloatArray,
    stop_atr: float,
    target_atr: float,
) -> tuple[DirectionArray, FloatArray, FloatArray, FloatArray]:
    rows = len(close)
    direction, sure = np.zeros(rows, dtype=np.int8), np.zeros(rows)
    stop_loss, take_profit = np.full(rows, np.nan), np.full(rows, np.nan)
    for row in range(rows):
        sign = events[row]
        if sign == 0 or not np.isfinite(confidence[row]) or not atr[row] > 0:
            continue
        stop, target = close[row] - sign * stop_atr * atr[row], close[row] + sign * target_atr * atr[row]
        if stop > 0 and target > 0:
            direction[row], sure[row] = sign, min(max(confidence[row], 0.0), 1.0)
            stop_loss[row], take_profit[row] = stop, target
    return direction, sure, stop_loss, take_profit


def abstain(strategy: str, window: OHLCV, missing: str) -> StrategySeries:
    """Silence at every row, since something is `missing` without which the strategy cannot judge."""
    nothing = np.full(len(window), np.nan)
    return StrategySeries(
        strategy=strategy,
        direction=np.zeros(len(window), dtype=np.int8),
        confidence=np.zeros(len(window)),
        entry_price=window.close,
        stop_loss=nothing,
        take_profit=nothing,
        describe=str,
        missing=missing,
    )


def aligned(values: npt.ArrayLike, rows: int) -> FloatArray:
    """`values` against a window of `rows` bars that ends with them; NaN for the bars before their first.

    ValueError unless they are one number or 1-D.
    """
    column = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if column.ndim != 1:
        raise ValueError(f"an input must be one number or 1-D, not {column.ndim}-D")
    lacking = rows - len(column)
    return np.concatenate((np.full(lacking, np.nan), column)) if lacking > 0 else column[-lacking:]


def signs(rising: npt.NDArray[np.bool_], falling: npt.NDArray[np.bool_]) -> DirectionArray:
    """1 where only `rising` holds, -1 where only `falling`, else 0."""
    return rising.astype(np.int8) - falling.astype(np.int8)


def beginnings(state: DirectionArray) -> DirectionArray:
    """The rows at which a standing 1 or -1 begins: there its value, else 0. What stood at row 0 did not begin."""
    begun = np.zeros_like(state)
    np.multiply(state[1:], state[1:] != state[:-1], out=begun[1:])
    return begun


@njit(cache=True)
def crossings(line: FloatArray) -> DirectionArray:
    """1 where `line` rises through zero, -1 where it falls through, else 0.

    Rows that stand exactly at zero belong to the side before them, so a touch is no crossing; leading
    NaN and the first row after it are 0.
    """
    crossed = np.zeros(len(line), dtype=np.int8)
    before = 0
    for row in range(len(line)):
        side = 1 if line[row] > 0 else -1 if line[row] < 0 else before
        if before != 0:
            crossed[row] = side if side != before else 0
        before = side
    return crossed


def recent_extreme(line: FloatArray, bars: int, pick: np.ufunc) -> FloatArray:
    """Lowest (`np.fmin`) or highest (`np.fmax`) value of the last `bars` rows, this one included."""
    extreme = line.copy()
    for back in range(1, bars):
        pick(extreme[back:], line[:-back], out=extreme[back:])
    return extreme

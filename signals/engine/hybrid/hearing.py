"""What each strategy says on one timeframe, for every row of its window."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.hybrid.settings import DEFAULTS, HybridSettings
from signals.engine.regime import REGIMES, regimes
from signals.engine.strategies import LISTENERS, STRATEGIES
from signals.engine.strategy import (
    DecisionContext,
    StrategySeries,
    WindowError,
    abstain,
)
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    """One timeframe. Matrices are (strategies, rows) in the order of STRATEGIES.

    vote: what each strategy's newest event counts for at a row, signed, decayed by age and by the regime in which
    it happened; age: its age in bars, -1 where nothing is heard. able: whether any strategy that reads
    the market itself could judge. crowded: some bars of the row's window stand too close together;
    spoiled: some have a price that cannot be. regime: place in REGIMES.
    """

    timeframe: Timeframe
    closes: IntArray
    series: Mapping[str, StrategySeries]
    vote: FloatArray
    age: IntArray
    able: BoolArray
    crowded: BoolArray
    spoiled: BoolArray
    regime: npt.NDArray[np.int8]


def opinions(
    window: OHLCV, context: DecisionContext, settings: HybridSettings = DEFAULTS
) -> Mapping[str, StrategySeries]:
    """Every strategy's series on one window, indicators shared; LISTENERS hear the others' standing votes.

    A strategy that cannot judge this window abstains. WindowError, the first one's, when none can.
    """
    series = _opinions(window, context, settings)
    alone = [each for name, each in series.items() if name not in LISTENERS]
    if all(each.missing for each in alone):
        raise WindowError(alone[0].missing)
    return series


def hear(timeframe: Timeframe, window: OHLCV, context: DecisionContext, settings: HybridSettings) -> Hearing:
    """Listen to every strategy. Votes, sentiment and partner speak of base bars: elsewhere they are absent."""
    if timeframe is not BASE_TIMEFRAME:
        context = replace(context, votes={}, sentiment=None, partner=None)
    context = replace(context, memo={})
    impossible = window.low <= 0
    believable = _believable(window, impossible) if impossible.any() else window
    series = _opinions(believable, context, settings)
    regime = regimes(believable, context) if len(window) else np.empty(0, dtype=np.int8)
    judged = np.array([each.judges() for each in series.values()])
    alone = np.array([name not in LISTENERS for name in series])
    direction = np.array([each.direction for each in series.values()])
    loudness = direction * np.array([each.confidence for each in series.values()])
    loudness *= np.where(_suited(series, settings)[:, regime], 1.0, settings.out_of_place)
    vote, age = _standing(direction, loudness, settings.decay, judged)
    near = np.diff(window.open_time, prepend=window.open_time[:1] - timeframe.milliseconds)
    return Hearing(
        timeframe=timeframe,
        closes=window.open_time + timeframe.milliseconds,
        series=series,
        vote=vote,
        age=age,
        able=judged[alone].any(axis=0),
        crowded=_lately(near < timeframe.milliseconds, settings.window_bars - 1),
        spoiled=_lately(impossible, settings.window_bars),
        regime=regime,
    )


def _opinions(
    window: OHLCV, context: DecisionContext, settings: HybridSettings
) -> Mapping[str, StrategySeries]:
    shared = context if context.memo is not None else replace(context, memo={})
    series = {name: _ask(name, window, shared) for name in STRATEGIES if name not in LISTENERS}
    votes = standing_votes(series, settings)
    standing = {name: vote for name, vote in zip(series, votes, strict=True) if not np.isnan(vote).all()}
    informed = replace(shared, votes={**context.votes, **standing})
    return {name: series[name] if name in series else _ask(name, window, informed) for name in STRATEGIES}


def standing_votes(series: Mapping[str, StrategySeries], settings: HybridSettings = DEFAULTS) -> FloatArray:
    """What each strategy's newest event still counts for, signed, decayed by age; NaN where it could not judge.

    (strategies, rows) in the order of `series`.
    """
    directions = np.array([each.direction for each in series.values()])
    judged = np.array([each.judges() for each in series.values()])
    spoken = directions * np.array([each.confidence for each in series.values()])
    votes, _ = _standing(directions, spoken, settings.decay, judged)
    votes[~judged] = np.nan
    return votes


def _ask(name: str, window: OHLCV, context: DecisionContext) -> StrategySeries:
    strategy = STRATEGIES[name]
    try:
        series = strategy.evaluate(window, context)
    except WindowError as error:
        return abstain(name, window, str(error))
    judged = series.judges().copy()
    judged[: strategy.minimum_bars - 1] = False  # as long as the window was too short, it could not judge
    return replace(series, judged=judged)


def _suited(series: Mapping[str, StrategySeries], settings: HybridSettings) -> BoolArray:
    """Whether a strategy's group is made for a regime, (strategies, REGIMES and UNKNOWN as the last)."""
    rows = []
    for name in series:
        made_for = settings.suited[STRATEGIES[name].group]
        rows.append([*(regime in made_for for regime in REGIMES), True])
    return np.array(rows)


def _believable(window: OHLCV, impossible: BoolArray) -> OHLCV:
    """The same bars with the close before in place of prices that cannot be; what they spoil is refused."""
    good = np.flatnonzero(~impossible)
    if len(good) == 0:
        return _at_price(window, impossible, np.ones(len(window)))
    before = np.maximum.accumulate(np.where(impossible, -1, np.arange(len(window))))
    stand_in = window.close[np.where(before < 0, good[0], before)]
    return _at_price(window, impossible, np.maximum(stand_in, np.finfo(np.float64).tiny))


def _at_price(window: OHLCV, rows: BoolArray, price: FloatArray) -> OHLCV:
    """`window` with all four prices of `rows` at `price`."""
    open_, high, low, close = (
        np.where(rows, price, column) for column in (window.open, window.high, window.low, window.close)
    )
    return OHLCV(window.open_time, open_, high, low, close, window.volume)


def _lately(marked: BoolArray, bars: int) -> BoolArray:
    """Whether any of the last `bars` rows, this one included, is marked."""
    seen = np.concatenate(([0], np.cumsum(marked)))
    first = np.maximum(np.arange(len(marked)) + 1 - bars, 0)
    lately: BoolArray = seen[1:] > seen[first]
    return lately


@njit(cache=True)
def _standing(
    direction: npt.NDArray[np.int8], loudness: FloatArray, decay: FloatArray, judged: BoolArray
) -> tuple[FloatArray, IntArray]:
    """At every row, what each strategy's newest event still counts for, and its age; 0 and -1 for none."""
    strategies, rows = direction.shape
    vote, age = np.zeros((strategies, rows)), np.full((strategies, rows), -1, dtype=np.int64)
    for each in range(strategies):
        said, since = 0.0, len(decay)
        for row in range(rows):
            since += 1
            if direction[each, row] != 0:
                said, since = loudness[each, row], 0
            if since < len(decay) and judged[each, row]:
                vote[each, row], age[each, row] = said * decay[since], since
    return vote, age

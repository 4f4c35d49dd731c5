"""Would entries at random, as many and held as long on the same candles, have done as well?"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RandomEntries:
    """Mean return of a trade, before costs, of the strategy and of `draws` random ones, and how many did as well.

    p_value: share of all, the strategy's own among them, whose mean is at least the strategy's.
    """

    observed: float
    mean: float
    deviation: float
    p_value: float
    draws: int


def random_entry_significance(
    prices: npt.ArrayLike,
    entered: npt.ArrayLike,
    exited: npt.ArrayLike,
    sides: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 1_000,
) -> RandomEntries:
    """Place the same trades (sides, bars held) at random rows of `prices`; without overlap where they have none.

    prices: positive, one per bar; entered, exited: rows of it; sides: 1 long, -1 short. Costs are left out: they are
    the same for both. Source of the p-value: Phipson and Smyth, Permutation P-values Should Never Be Zero (2010).
    """
    path, begin, end, side = _checked(prices, entered, exited, sides)
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws}")
    held = end - begin
    order = np.argsort(begin, kind="stable")
    overlapping = bool((begin[order][1:] < end[order][:-1]).any())
    observed = _mean_return(path, begin, held, side)
    drawn = np.empty(draws)
    for number in range(draws):
        if overlapping:
            starts, placed = rng.integers(0, len(path) - held), np.arange(len(held))
        else:
            starts, placed = _apart(held, len(path), rng)
        drawn[number] = _mean_return(path, starts, held[placed], side[placed])
    as_good = int((drawn >= observed - 1e-12 * abs(observed)).sum())
    return RandomEntries(
        observed, float(drawn.mean()), float(drawn.std()), (as_good + 1) / (draws + 1), draws
    )


def _apart(held: IntArray, bars: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Starts of all trades in random order, every way to lay them out without overlap being equally likely."""
    order = rng.permutation(len(held))
    spare = bars - 1 - int(held.sum())
    gaps = np.sort(rng.choice(spare + len(held), len(held), replace=False)) - np.arange(len(held))
    return gaps + np.concatenate(([0], np.cumsum(held[order])[:-1])), order


def _mean_return(prices: FloatArray, starts: IntArray, held: IntArray, sides: IntArray) -> float:
    return float((sides * (prices[starts + held] / prices[starts] - 1)).mean())


def _checked(
    prices: npt.ArrayLike, entered: npt.ArrayLike, exited: npt.ArrayLike, sides: npt.ArrayLike
) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
    path = np.asarray(prices, dtype=np.float64)
    begin, end, side = (np.asarray(each, dtype=np.int64) for each in (entered, exited, sides))
    if path.ndim != 1 or not (np.isfinite(path) & (path > 0)).all():
        raise ValueError("prices must be 1-D, finite and positive")
    if begin.ndim != 1 or not begin.shape == end.shape == side.shape:
        raise ValueError("entered, exited and sides must be 1-D and of one length, one value per trade")
    if not len(begin):
        raise ValueError("entered: there are no trades to compare with")
    if not ((begin >= 0) & (begin < end) & (end < len(path))).all():
        raise ValueError("every trade must be entered before it is exited, both at rows of prices")
    if not np.isin(side, (-1, 1)).all():
        raise ValueError("sides must be 1 (long) or -1 (short)")
    return path, begin, end, side

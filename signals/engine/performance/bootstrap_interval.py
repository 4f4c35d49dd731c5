from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.engine.performance.inputs import check_level

Measure = Callable[[FloatArray], float]


class Interval(NamedTuple):
    low: float
    high: float


def bootstrap_interval(
    values: npt.ArrayLike,
    measure: Measure,
    *,
    level: float = 0.95,
    samples: int = 1_000,
    mean_block: float | None = None,
    seed: int = 0,
) -> Interval:
    """Where `measure` lies in `level` of the resampled histories: a percentile interval.

    Stationary bootstrap: blocks of random, geometrically distributed length `mean_block` (n^(1/3) where not
    given), so that what follows each other stays together; the end is joined to the beginning. `values`:
    1-D and finite, periods or trades in order of time. NaN for fewer than two values, and where the
    measure of a sample is NaN. The same seed gives the same interval.
    Source: Politis and Romano, The Stationary Bootstrap (1994).
    """
    options = {"level": level, "samples": samples, "mean_block": mean_block, "seed": seed}
    return bootstrap_intervals(values, [measure], **options)[0]  # type: ignore[arg-type]


def bootstrap_intervals(
    values: npt.ArrayLike,
    measures: Sequence[Measure],
    *,
    level: float = 0.95,
    samples: int = 1_000,
    mean_block: float | None = None,
    seed: int = 0,
) -> list[Interval]:
    """`bootstrap_interval` of each measure: all are taken of the same resampled histories, drawn once."""
    check_level(level)
    history = np.asarray(values, dtype=np.float64)
    if history.ndim != 1 or not np.isfinite(history).all():
        raise ValueError("values must be 1-D and finite")
    block = max(len(history) ** (1 / 3), 1.0) if mean_block is None else mean_block
    if not block >= 1 or samples < 1:
        raise ValueError(f"mean_block and samples are at least 1, not {block} and {samples}")
    if len(history) < 2:
        return [Interval(np.nan, np.nan)] * len(measures)
    random, measured = np.random.default_rng(seed), np.empty((len(measures), samples))
    for column in range(samples):
        again = history[_resampled_rows(len(history), block, random)]
        measured[:, column] = [measure(again) for measure in measures]
    return [percentile_interval(each, level) for each in measured]


def percentile_interval(measured: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The middle `level` of what was measured on resampled histories; NaN where one of them has no measure."""
    low, high = np.quantile(np.asarray(measured), ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(low), float(high))


def resampled_totals(sums: npt.ArrayLike, *, samples: int = 1_000, seed: int = 0) -> FloatArray:
    """(samples, columns): totals of the histories that `bootstrap_interval` would draw of these rows.

    sums: (rows, columns), each row the sums over a week, say, in order of time. For measures that are made of sums,
    over many histories at once.
    """
    history = np.asarray(sums, dtype=np.float64)
    if history.ndim != 2 or len(history) < 2:
        raise ValueError("sums must be rows x columns, of two rows at least")
    return _drawn_counts(len(history), samples, seed) @ history


@lru_cache(maxsize=32)
def _drawn_counts(count: int, samples: int, seed: int) -> FloatArray:
    """How often each row is in each of the drawn histories."""
    random = np.random.default_rng(seed)
    block = max(count ** (1 / 3), 1.0)
    rows = [_resampled_rows(count, block, random) for _ in range(samples)]
    return np.array([np.bincount(each, minlength=count) for each in rows], dtype=np.float64)


def _resampled_rows(count: int, block: float, random: "np.random.Generator") -> npt.NDArray[np.intp]:
    """Rows of one history: at each place a new block begins with probability 1 / block."""
    begins = random.random(count) < 1 / block
    begins[0] = True
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=count)
    drawn = random.integers(0, count, len(starts))
    rows: npt.NDArray[np.intp] = (np.repeat(drawn - starts, lengths) + np.arange(count)) % count
    return rows

"""Does a result stand on a plateau of its parameters, or on a needle?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SensitivityMap:
    """Median score and number of runs by two parameters, (y values, x values); NaN where nothing was run.

    `best` is the highest cell and `best_x`, `best_y` its place; `neighbours` the median of the cells around it,
    NaN without any. A best one that its neighbours do not share was found by luck more likely than by skill.
    """

    x_values: FloatArray
    y_values: FloatArray
    score: FloatArray
    runs: IntArray
    best: float
    best_x: float
    best_y: float
    neighbours: float

    @property
    def plateau(self) -> float:
        """Share of the best score that its neighbours reach; NaN without neighbours or without a positive best."""
        return self.neighbours / self.best if self.best > 0 else np.nan


def sensitivity_map(
    parameters: Mapping[str, npt.ArrayLike], scores: npt.ArrayLike, *, x: str, y: str
) -> SensitivityMap:
    """Lay the runs of a search out by two of their parameters; the others are summed up by the median.

    parameters: one value per run and name; scores: NaN for a run that failed, which counts nowhere.
    """
    across, along, score = _columns(parameters, scores, x, y)
    x_values, column = np.unique(across, return_inverse=True)
    y_values, row = np.unique(along, return_inverse=True)
    cells = np.full((len(y_values), len(x_values)), np.nan)
    runs = np.zeros(cells.shape, dtype=np.int64)
    place = row * len(x_values) + column
    for cell in np.unique(place[~np.isnan(score)]):
        inside = score[(place == cell) & ~np.isnan(score)]
        cells.flat[cell], runs.flat[cell] = np.median(inside), len(inside)
    top, left = divmod(int(np.nanargmax(cells)), len(x_values))
    around = cells[max(top - 1, 0) : top + 2, max(left - 1, 0) : left + 2].copy()
    around[min(top, 1), min(left, 1)] = np.nan
    known = around[~np.isnan(around)]
    return SensitivityMap(
        x_values,
        y_values,
        cells,
        runs,
        best=float(cells[top, left]),
        best_x=float(x_values[left]),
        best_y=float(y_values[top]),
        neighbours=float(np.median(known)) if len(known) else np.nan,
    )


def _columns(
    parameters: Mapping[str, npt.ArrayLike], scores: npt.ArrayLike, x: str, y: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    if x == y:
        raise ValueError(f"x and y are both {x!r}: a map needs two parameters")
    for name in (x, y):
        if name not in parameters:
            raise ValueError(f"{name!r} is no parameter of these runs: {', '.join(sorted(parameters))}")
    across, along, score = (
        np.asarray(each, dtype=np.float64) for each in (parameters[x], parameters[y], scores)
    )
    if score.ndim != 1 or not across.shape == along.shape == score.shape:
        raise ValueError("parameters and scores must be 1-D and of one length, one value per run")
    if not np.isfinite(np.concatenate((across, along))).all() or np.isinf(score).any():
        raise ValueError("parameters must be finite, and scores finite or NaN for a run that failed")
    if np.isnan(score).all():
        raise ValueError("scores: not one run has a score")
    return across, along, score

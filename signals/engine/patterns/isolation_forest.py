"""An isolation forest as plain arrays: fitted by scikit-learn, stored as numbers, evaluated by numpy.

Source: Liu, Ting, Zhou, Isolation Forest, ICDM 2008. What is separated by few random cuts is unusual.
Fitting needs scikit-learn and is for training processes; scoring does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import FloatArray

IntArray = npt.NDArray[np.int64]
FEWEST_ROWS = 100


@dataclass(frozen=True, slots=True, eq=False)
class IsolationForest:
    """Trees side by side, shape (trees, nodes); a leaf is its own child, so that a descent may overrun.

    depth: cuts to reach a node, plus what its remaining samples would take (used at leaves only).
    normal_depth: mean depth of a sample among as many as each tree was fitted on. features: columns.
    """

    feature: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    depth: FloatArray
    normal_depth: float
    features: int

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """What `numpy.savez` stores and, read with allow_pickle=False, `from_arrays` takes."""
        return {each.name: np.asarray(getattr(self, each.name)) for each in fields(self)}

    @staticmethod
    def from_arrays(arrays: Mapping[str, npt.NDArray[np.generic]]) -> "IsolationForest":
        """ValueError when the arrays do not make a forest."""
        missing = {each.name for each in fields(IsolationForest)} - set(arrays)
        if missing:
            raise ValueError(f"a stored forest lacks {sorted(missing)}")
        nodes = {
            name: np.asarray(arrays[name]) for name in ("feature", "left", "right", "threshold", "depth")
        }
        shapes = {name: array.shape for name, array in nodes.items()}
        if len(set(shapes.values())) > 1 or nodes["depth"].ndim != 2 or nodes["depth"].size == 0:
            raise ValueError(f"the arrays of a forest must be alike and (trees, nodes), not {shapes}")
        features = int(arrays["features"])
        for name, limit in (
            ("left", shapes["left"][1]),
            ("right", shapes["right"][1]),
            ("feature", features),
        ):
            if nodes[name].min() < 0 or nodes[name].max() >= limit:
                raise ValueError(f"a stored forest points outside itself: {name} must be below {limit}")
        return IsolationForest(**nodes, normal_depth=float(arrays["normal_depth"]), features=features)


def fit_isolation_forest(
    features: FloatArray, *, seed: int, trees: int = 100, samples: int = 256
) -> IsolationForest:
    """Fit on the finite rows of `features`, shape (rows, columns), all from before what will be scored.

    ValueError with fewer than 100 finite rows.
    """
    from sklearn import ensemble  # type: ignore[import-untyped]  # noqa: PLC0415  web must not load it

    known = features[np.isfinite(features).all(axis=1)]
    if len(known) < FEWEST_ROWS:
        raise ValueError(f"an isolation forest needs {FEWEST_ROWS} complete rows, there are {len(known)}")
    size = min(samples, len(known))
    fitted = ensemble.IsolationForest(n_estimators=trees, max_samples=size, random_state=seed).fit(known)
    grown = [each.tree_ for each in fitted.estimators_]
    nodes = max(tree.node_count for tree in grown)
    forest = IsolationForest(
        feature=np.zeros((trees, nodes), dtype=np.int64),
        threshold=np.zeros((trees, nodes)),
        left=np.tile(np.arange(nodes), (trees, 1)),
        right=np.tile(np.arange(nodes), (trees, 1)),
        depth=np.zeros((trees, nodes)),
        normal_depth=float(_mean_depth(np.array([size]))[0]),
        features=known.shape[1],
    )
    for place, tree in enumerate(grown):
        inner = np.flatnonzero(tree.children_left >= 0)
        forest.feature[place, inner] = tree.feature[inner]
        forest.threshold[place, inner] = tree.threshold[inner]
        forest.left[place, inner] = tree.children_left[inner]
        forest.right[place, inner] = tree.children_right[inner]
        cuts = np.zeros(tree.node_count)
        for node in inner:  # a parent stands before its children
            cuts[[tree.children_left[node], tree.children_right[node]]] = cuts[node] + 1
        forest.depth[place, : tree.node_count] = cuts + _mean_depth(tree.n_node_samples)
    return forest


def anomaly_score(forest: IsolationForest, features: FloatArray) -> FloatArray:
    """0 to 1 per row of `features`, above 0.5 for what is less usual than average; NaN for incomplete rows.

    Equal to minus scikit-learn's `score_samples`. ValueError on another number of columns than fitted.
    """
    if features.ndim != 2 or features.shape[1] != forest.features:
        raise ValueError(f"the forest was fitted on {forest.features} columns, not on shape {features.shape}")
    known = np.isfinite(features).all(axis=1)
    values = features[known].astype(np.float32)  # as the cuts were made
    depths = _depths(forest.feature, forest.threshold, forest.left, forest.right, forest.depth, values)
    score = np.full(len(features), np.nan)
    score[known] = 2 ** -(depths.mean(axis=0) / forest.normal_depth)
    return score


@njit(cache=True)
def _depths(
    feature: IntArray,
    threshold: FloatArray,
    left: IntArray,
    right: IntArray,
    depth: FloatArray,
    values: npt.NDArray[np.float32],
) -> FloatArray:
    """Of each tree's leaf for each row of `values`, shape (trees, rows)."""
    depths = np.empty((len(depth), len(values)))
    for tree in range(len(depth)):
        for row in range(len(values)):
            node, below = -1, 0
            while below != node:
                node = below
                goes_left = values[row, feature[tree, node]] <= threshold[tree, node]
                below = left[tree, node] if goes_left else right[tree, node]
            depths[tree, row] = depth[tree, node]
    return depths


def _mean_depth(samples: npt.NDArray[np.generic]) -> FloatArray:
    """Mean depth at which a search in a random binary tree of so many samples ends."""
    count = np.asarray(samples, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        many = 2 * (np.log(count - 1) + np.euler_gamma) - 2 * (count - 1) / count
    return np.where(count > 2, many, np.where(count == 2, 1.0, 0.0))

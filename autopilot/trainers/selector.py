"""The global model that ranks the five strategy groups, and the honest answer whether it may be used.

One LightGBM classifier (multiclass, five classes) over all instruments. It is judged walk-forward: each
fold trains on what was known before it, less the rows whose label reaches into the fold (purge; Lopez de
Prado, Advances in Financial Machine Learning, 2018, ch. 7). Its log-loss is compared, row by row, with
what takes no model: the frequencies of the classes, always the group that paid best, and the rules.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from autopilot.engine.bootstrap import Samples
from autopilot.engine.skill import (
    GROUPS,
    IntArray,
    Judged,
    OutOfSample,
    best_paid,
    class_frequencies,
    constant_choice,
    frequencies_given_rule,
    measure,
    verdict,
)
from signals.engine.candle import FloatArray

if TYPE_CHECKING:
    import lightgbm

FOLDS = 5
# Share of the rows that is never judged, so that the first fold has something to learn from.
WARM_UP = 1 / 3
FEWEST_ROWS = 250
# LightGBM's bagging leaves nothing of fewer: they are given to it again and again.
FEWEST_TO_FIT = 5
MOST_ROUNDS = 300
PATIENCE_ROUNDS = 20
USUAL_ROUNDS = 40
LEAF_ROWS = 40
PARAMETERS = {
    "objective": "multiclass",
    "num_class": GROUPS,
    "metric": "multi_logloss",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "lambda_l2": 5.0,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}

OnFold = Callable[[int, int], None]


def unheard(done: int, total: int) -> None:
    """Progress that nobody listens to."""


@dataclass(frozen=True, slots=True, eq=False)
class SelectorFit:
    """The model on all rows, as LightGBM's text, and what its kind did out of sample.

    promoted: whether it may replace rules; reason: why, or why not. class_counts: rows per group.
    judged_rows, judged_probabilities: rows of the input judged out of sample, and what was told of them,
    (m,) and (m, 5), for calibration; judged: the same with labels and baselines.
    importance: gain by feature, (k,), summing to 1 or all zero.
    """

    model_text: str
    out_of_sample: OutOfSample
    promoted: bool
    reason: str
    rounds: int
    class_counts: tuple[int, ...]
    judged_rows: IntArray
    judged_probabilities: FloatArray
    judged: Judged
    importance: FloatArray

    def predict_proba(self, features: ArrayLike) -> FloatArray:
        """Of each row of (n, k), the probability that each group pays best: (n, 5), rows sum to 1."""
        import lightgbm  # noqa: PLC0415

        return _told(lightgbm.Booster(model_str=self.model_text), np.asarray(features, dtype=np.float64))


def train_selector(
    features: ArrayLike,
    labels: ArrayLike,
    decided_at: ArrayLike,
    horizon_ms: int,
    *,
    results: ArrayLike | None = None,
    rules: ArrayLike | None = None,
    seed: int = 0,
) -> SelectorFit:
    """Train on rows in the order of time and judge walk-forward (`fit_selector` tells how far it is).

    features: float64 (n, k), NaN allowed. labels: int (n,), the group 0 to 4 that paid best. decided_at:
    int64 (n,) UTC ms, not decreasing. horizon_ms: how long a label looks ahead. results: float64 (n, 5),
    what each group's trade made, NaN allowed. rules: int (n,), the group that the rules chose.
    `promoted` when the lower bound of the gain over every baseline that can be computed is above zero.
    ValueError for shapes that do not fit, no row at all, infinite features, labels or rules
    beyond 0 to 4, times that fall, or a horizon that is not positive.
    """
    rows = Rows.checked(features, labels, decided_at, horizon_ms, results, rules)
    return fit_selector(rows, horizon_ms, seed=seed)


def fit_selector(
    rows: "Rows",
    horizon_ms: int,
    *,
    seed: int = 0,
    on_fold: OnFold = unheard,
) -> SelectorFit:
    """`train_selector` of checked rows; `on_fold` hears how many of how many parts of the work are done."""
    where, judged, rounds = _judge(rows, horizon_ms, seed, on_fold)
    on_fold(FOLDS, FOLDS + 1)
    final = _boosted(rows, len(rows.labels), int(np.median(rounds)) if rounds else USUAL_ROUNDS, seed)
    measured = measure(judged, horizon_ms)
    promoted, reason = verdict(measured)
    counts = np.bincount(rows.labels, minlength=GROUPS)
    if np.count_nonzero(counts) == 1:  # a model that is surer of it than smoothed frequencies knows no more
        promoted, reason = False, "one group paid best every time: there is nothing to learn; rules go on"
    gain = np.asarray(final.feature_importance("gain"), dtype=np.float64)
    return SelectorFit(
        model_text=final.model_to_string(),
        out_of_sample=measured,
        promoted=promoted,
        reason=reason,
        rounds=final.current_iteration(),
        class_counts=tuple(counts.tolist()),
        judged_rows=where,
        judged_probabilities=judged.model,
        judged=judged,
        importance=gain / gain.sum() if gain.sum() > 0 else gain,
    )


def fit_samples(samples: Samples, on_fold: OnFold = unheard) -> SelectorFit:
    """`train_selector` of collected samples, with their results and rules as baselines."""
    rows = Rows.checked(
        samples.features,
        samples.labels,
        samples.decided_at,
        samples.horizon_ms,
        samples.results,
        samples.rules,
    )
    return fit_selector(rows, samples.horizon_ms, on_fold=on_fold)


@dataclass(frozen=True, slots=True)
class Rows:
    """What is trained on, in the order of time; made by `checked`."""

    features: FloatArray
    labels: IntArray
    decided_at: IntArray
    results: FloatArray | None
    rules: IntArray | None

    @staticmethod
    def checked(
        features: ArrayLike,
        labels: ArrayLike,
        decided_at: ArrayLike,
        horizon_ms: int,
        results: ArrayLike | None,
        rules: ArrayLike | None,
    ) -> "Rows":
        table = np.asarray(features, dtype=np.float64)
        if table.ndim != 2 or 0 in table.shape:
            raise ValueError(f"features must be rows x columns, at least 1 x 1, not {table.shape}")
        if np.isinf(table).any():
            raise ValueError("features may be missing (NaN) but not infinite")
        n = len(table)
        moments = _whole("decided_at", decided_at, n)
        if (np.diff(moments) < 0).any():
            raise ValueError("decided_at must not fall: rows come in the order of time")
        if horizon_ms <= 0:
            raise ValueError(f"horizon_ms must be positive, not {horizon_ms}")
        paid = None if results is None else np.asarray(results, dtype=np.float64)
        if paid is not None and paid.shape != (n, GROUPS):
            raise ValueError(f"results must be ({n}, {GROUPS}), not {paid.shape}")
        if paid is not None and np.isinf(paid).any():
            raise ValueError("results may be missing (NaN) but not infinite")
        return Rows(
            table,
            _groups("labels", labels, n),
            moments,
            paid,
            None if rules is None else _groups("rules", rules, n),
        )


def _whole(name: str, given: ArrayLike, n: int) -> IntArray:
    numbers = np.asarray(given)
    if numbers.shape != (n,):
        raise ValueError(f"{name} must be ({n},), not {numbers.shape}")
    whole = numbers.astype(np.int64)
    if not np.array_equal(whole, numbers):
        raise ValueError(f"{name} must be whole numbers")
    return whole


def _groups(name: str, given: ArrayLike, n: int) -> IntArray:
    groups = _whole(name, given, n)
    if groups.min() < 0 or groups.max() >= GROUPS:
        raise ValueError(f"{name} must be 0 to {GROUPS - 1}")
    return groups


def _walk_forward(decided_at: IntArray, horizon_ms: int) -> Iterator[tuple[int, IntArray]]:
    """(how many rows were known, rows asked) of each fold. Rows of one moment are never divided."""
    n = len(decided_at)
    if n < FEWEST_ROWS:
        return
    cuts = np.linspace(n * WARM_UP, n, FOLDS + 1).astype(np.int64)[:-1]
    starts = np.searchsorted(decided_at, decided_at[cuts])
    for begin, end in zip(starts, [*starts[1:], n], strict=True):
        known = _known_before(decided_at, int(begin), horizon_ms)
        if known > 0 and end > begin:
            yield known, np.arange(begin, end)


def _known_before(decided_at: IntArray, row: int, horizon_ms: int) -> int:
    """How many rows, from the first, had their label at the moment of `row`."""
    return int(np.searchsorted(decided_at, decided_at[row] - horizon_ms, side="right"))


def _judge(rows: Rows, horizon_ms: int, seed: int, on_fold: OnFold) -> tuple[IntArray, Judged, list[int]]:
    """Rows judged, what was told of them by the model and by each baseline, and the rounds of each fold."""
    asked_rows = [np.empty(0, dtype=np.int64)]
    rounds: list[int] = []
    told: dict[str, list[FloatArray]] = {
        name: [np.empty((0, GROUPS))] for name in ("model", "majority", "best", "rules")
    }
    best_choices = [np.empty(0, dtype=np.int64)]
    for known, asked in _walk_forward(rows.decided_at, horizon_ms):
        on_fold(len(rounds), FOLDS + 1)
        count = _best_rounds(rows, known, horizon_ms, seed)
        model = _boosted(rows, known, count, seed)
        labels = rows.labels[:known]
        asked_rows.append(asked)
        rounds.append(count)
        told["model"].append(_told(model, rows.features[asked]))
        told["majority"].append(np.tile(class_frequencies(labels), (len(asked), 1)))
        if rows.results is not None:
            best = best_paid(rows.results[:known])
            best_choices.append(np.full(len(asked), best))
            told["best"].append(np.tile(constant_choice(best, labels), (len(asked), 1)))
        if rows.rules is not None:
            told["rules"].append(frequencies_given_rule(rows.rules[:known], labels)[rows.rules[asked]])
    where = np.concatenate(asked_rows)
    stacked = {name: np.concatenate(parts) for name, parts in told.items()}
    return (
        where,
        Judged(
            labels=rows.labels[where],
            decided_at=rows.decided_at[where],
            model=stacked["model"],
            majority=stacked["majority"],
            best_group=None if rows.results is None else stacked["best"],
            rules=None if rows.rules is None else stacked["rules"],
            best_group_choice=None if rows.results is None else np.concatenate(best_choices),
            rules_choice=None if rows.rules is None else rows.rules[where],
            results=None if rows.results is None else rows.results[where],
        ),
        rounds,
    )


def _best_rounds(rows: Rows, known: int, horizon_ms: int, seed: int) -> int:
    """Rounds after which the newest sixth of the known rows was told best by a model of the older ones."""
    import lightgbm  # noqa: PLC0415

    late = int(np.searchsorted(rows.decided_at, rows.decided_at[known * 5 // 6]))
    early = _known_before(rows.decided_at, late, horizon_ms)
    if early < FEWEST_ROWS // 3 or known - late < FEWEST_ROWS // 10:
        return USUAL_ROUNDS
    fitted = lightgbm.train(
        _parameters(early, seed),
        _dataset(rows, slice(0, early)),
        num_boost_round=MOST_ROUNDS,
        valid_sets=[_dataset(rows, slice(late, known))],
        callbacks=[lightgbm.early_stopping(PATIENCE_ROUNDS, verbose=False)],
    )
    return max(fitted.best_iteration, 1)


def _boosted(rows: Rows, known: int, rounds: int, seed: int) -> "lightgbm.Booster":
    import lightgbm  # noqa: PLC0415

    return lightgbm.train(_parameters(known, seed), _dataset(rows, slice(0, known)), num_boost_round=rounds)


def _parameters(known: int, seed: int) -> dict[str, Any]:
    return PARAMETERS | {"seed": seed, "min_data_in_leaf": min(LEAF_ROWS, max(known // 20, 5))}


def _dataset(rows: Rows, which: slice) -> "lightgbm.Dataset":
    import lightgbm  # noqa: PLC0415

    quiet = {"verbose": -1, "num_threads": 1, "min_data_in_bin": 1}
    features, labels = rows.features[which], rows.labels[which]
    again = -(-FEWEST_TO_FIT // len(labels))
    return lightgbm.Dataset(np.tile(features, (again, 1)), label=np.tile(labels, again), params=quiet)


def _told(model: "lightgbm.Booster", features: FloatArray) -> FloatArray:
    if len(features) == 0:
        return np.empty((0, GROUPS))
    told: FloatArray = np.asarray(model.predict(features, num_threads=1))
    return told / told.sum(axis=1, keepdims=True)

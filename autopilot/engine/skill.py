"""Whether a model that tells group probabilities knows more than what takes no model.

Losses are compared row by row in log-loss (nats). Rows that were decided within one horizon share their
bars, so the interval of the mean gain is clustered by blocks of the horizon, with what neighbouring blocks
have in common added (Newey & West 1987, one lag).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from signals.engine.candle import FloatArray

IntArray = NDArray[np.int64]
GROUPS = 5
FEWEST_BLOCKS = 20
LEAST_PROBABILITY = 1e-6
ONE_SIDED = 0.99
RULE_PRIOR = 5.0


@dataclass(frozen=True, slots=True)
class OutOfSample:
    """Figures on rows that the judged model had not seen; None for what could not be computed, NaN for no rows.

    n: rows judged, in `blocks` blocks of the horizon. *_log_loss in nats. *_gain_bound: one-sided 99 % lower
    bound of the mean gain in log-loss over that baseline. *_result: mean result per decision of following it,
    in the unit of `results`.
    """

    n: int
    blocks: int
    accuracy: float
    log_loss: float
    majority_accuracy: float
    majority_log_loss: float
    majority_gain_bound: float
    best_group_log_loss: float | None = None
    best_group_gain_bound: float | None = None
    rules_accuracy: float | None = None
    rules_log_loss: float | None = None
    rules_gain_bound: float | None = None
    model_result: float | None = None
    best_group_result: float | None = None
    rules_result: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was told of rows before their labels were known. Probabilities are (m, 5), choices (m,).

    best_group: probabilities of always choosing the group that had paid best; rules: of the rules' choice.
    """

    labels: IntArray
    decided_at: IntArray
    model: FloatArray
    majority: FloatArray
    best_group: FloatArray | None
    rules: FloatArray | None
    best_group_choice: IntArray | None
    rules_choice: IntArray | None
    results: FloatArray | None


def class_frequencies(labels: IntArray) -> FloatArray:
    """Of each group, one row more counted for each (Laplace), so that none is impossible: (5,)."""
    counts = np.bincount(labels, minlength=GROUPS) + 1.0
    frequencies: FloatArray = counts / counts.sum()
    return frequencies


def best_paid(results: FloatArray) -> int:
    """The group whose trades made most on the mean; groups without any are left out. (n, 5) -> 0 to 4."""
    present = np.isfinite(results)
    sums = np.where(present, results, 0.0).sum(axis=0)
    means = np.where(present.any(axis=0), sums / np.maximum(present.sum(axis=0), 1), -np.inf)
    return int(means.argmax())


def constant_choice(choice: int, labels: IntArray) -> FloatArray:
    """Probabilities (5,) of somebody who always says `choice`: right as often as seen, else evenly wrong."""
    right = (np.count_nonzero(labels == choice) + 1) / (len(labels) + 2)
    told = np.full(GROUPS, (1 - right) / (GROUPS - 1))
    told[choice] = right
    return told


def frequencies_given_rule(rules: IntArray, labels: IntArray) -> FloatArray:
    """What came of each choice of the rules, (5, 5), drawn to all classes' frequencies where it was rare."""
    counts = np.zeros((GROUPS, GROUPS))
    np.add.at(counts, (rules, labels), 1.0)
    table: FloatArray = (counts + RULE_PRIOR * class_frequencies(labels)) / (
        counts.sum(axis=1, keepdims=True) + RULE_PRIOR
    )
    return table


def row_log_loss(probabilities: FloatArray, labels: IntArray) -> FloatArray:
    """-ln of what each row's label was given, (m,); a probability counts as at least LEAST_PROBABILITY."""
    given = probabilities[np.arange(len(labels)), labels]
    loss: FloatArray = -np.log(np.maximum(given, LEAST_PROBABILITY))
    return loss


def gain_bound(gains: FloatArray, decided_at: IntArray, horizon_ms: int) -> float:
    """One-sided 99 % lower bound of the mean of `gains`, clustered by blocks; -inf for fewer than two blocks."""
    block = (decided_at - decided_at[0]) // horizon_ms if len(decided_at) else decided_at
    numbers, place = np.unique(block, return_inverse=True)
    if len(numbers) < 2:
        return float("-inf")
    deviations = np.bincount(place, weights=gains - gains.mean())
    neighbours = np.diff(numbers) == 1
    shared = float((deviations[:-1] * deviations[1:])[neighbours].sum())
    spread = (deviations**2).sum() + max(shared, 0.0)
    count = len(numbers)
    error = np.sqrt(spread * count / (count - 1)) / len(gains)
    return float(gains.mean() - student.ppf(ONE_SIDED, count - 1) * error)


def measure(judged: Judged, horizon_ms: int) -> OutOfSample:
    """All figures of `judged`; with no rows, NaN and bounds of -inf."""
    labels = judged.labels
    if len(labels) == 0:
        nan, nothing = float("nan"), float("-inf")
        return OutOfSample(0, 0, nan, nan, nan, nan, nothing)
    loss = row_log_loss(judged.model, labels)
    choice = judged.model.argmax(axis=1)

    def against(told: FloatArray | None) -> tuple[float | None, float | None]:
        if told is None:
            return None, None
        other = row_log_loss(told, labels)
        return float(other.mean()), gain_bound(other - loss, judged.decided_at, horizon_ms)

    majority_loss = row_log_loss(judged.majority, labels)
    best_loss, best_bound = against(judged.best_group)
    rules_loss, rules_bound = against(judged.rules)
    return OutOfSample(
        n=len(labels),
        blocks=len(np.unique((judged.decided_at - judged.decided_at[0]) // horizon_ms)),
        accuracy=float((choice == labels).mean()),
        log_loss=float(loss.mean()),
        majority_accuracy=float((judged.majority.argmax(axis=1) == labels).mean()),
        majority_log_loss=float(majority_loss.mean()),
        majority_gain_bound=gain_bound(majority_loss - loss, judged.decided_at, horizon_ms),
        best_group_log_loss=best_loss,
        best_group_gain_bound=best_bound,
        rules_accuracy=None if judged.rules_choice is None else float((judged.rules_choice == labels).mean()),
        rules_log_loss=rules_loss,
        rules_gain_bound=rules_bound,
        model_result=_followed(choice, judged.results),
        best_group_result=_followed(judged.best_group_choice, judged.results),
        rules_result=_followed(judged.rules_choice, judged.results),
    )


def _followed(choice: IntArray | None, results: FloatArray | None) -> float | None:
    if choice is None or results is None:
        return None
    made = results[np.arange(len(choice)), choice]
    made = made[np.isfinite(made)]
    return float(made.mean()) if len(made) else None


def verdict(measured: OutOfSample) -> tuple[bool, str]:
    """(whether the model may replace rules, why or why not)."""
    if measured.n == 0 or measured.blocks < FEWEST_BLOCKS:
        return False, (
            f"too little data: {measured.n} decisions out of sample in {measured.blocks} separate horizons, "
            f"at least {FEWEST_BLOCKS} are needed; rules go on"
        )
    bounds = {
        "the class frequencies": measured.majority_gain_bound,
        "always the best-paid group": measured.best_group_gain_bound,
        "the rules": measured.rules_gain_bound,
    }
    known = {name: bound for name, bound in bounds.items() if bound is not None}
    name, least = min(known.items(), key=lambda item: item[1])
    if least > 0:
        return True, (
            f"out of sample its log-loss of {measured.log_loss:.4f} is better than every baseline's: the gain over "
            f"{name} is at least {least:.4f} (99 %)"
        )
    return False, (
        f"no proven gain out of sample: log-loss {measured.log_loss:.4f}, and the gain over {name} may be as low "
        f"as {least:.4f} (99 %); rules go on"
    )


def result_gain_bounds(judged: Judged, horizon_ms: int) -> dict[str, float]:
    """By baseline, the 99 % lower bound of how much more the model's choices made a decision, in R.

    A choice whose group then did not trade made nothing. Empty without results.
    """
    if judged.results is None or len(judged.labels) == 0:
        return {}
    made = np.nan_to_num(judged.results)
    rows = np.arange(len(made))
    mine = made[rows, judged.model.argmax(axis=1)]
    choices = {"always the best-paid group": judged.best_group_choice, "the rules": judged.rules_choice}
    return {
        name: gain_bound(mine - made[rows, choice], judged.decided_at, horizon_ms)
        for name, choice in choices.items()
        if choice is not None
    }


def pays_verdict(judged: Judged, horizon_ms: int) -> tuple[bool, str]:
    """(whether following the model made more than following any baseline, what to say where it did not).

    A gain in log-loss may be no more than knowing which groups will trade at all; that earns nothing.
    """
    bounds = result_gain_bounds(judged, horizon_ms)
    if not bounds:
        return False, "no results are known to compare what was earned"
    name, least = min(bounds.items(), key=lambda item: item[1])
    if least > 0:
        return True, f"its choices made at least {least:.3f} R a decision more than {name} (99 %)"
    return False, (
        f"its choices earn no more: the gain over {name} may be as low as {least:.3f} R a decision (99 %), "
        "so what it knows is which groups trade, not which pay; rules go on"
    )

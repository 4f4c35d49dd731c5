"""What the trainer says where the truth is known: noise, from which nothing can be learnt, and a planted rule."""

from collections.abc import Callable
from typing import Any

import numpy as np

from autopilot.engine.skill import GROUPS
from autopilot.trainers.selector import train_selector

HOUR_MS = 3_600_000
HORIZON_HOURS = 37
COLUMNS = 23
# The planted rule: the first column's fifth decides, and is right so often.
RIGHT = 0.6


def promoted_on_noise(*, seeds: int, rows: int, progress: Callable[[int, int, str], None]) -> dict[str, Any]:
    """How many of `seeds` fits on noise would have been promoted. Labels of neighbours are alike, as real ones are."""
    promoted: list[int] = []
    for seed in range(seeds):
        progress(seed, seeds, f"{len(promoted)} of {seed} promoted")
        features, labels, decided_at = noise(np.random.default_rng(seed), rows)
        if train_selector(features, labels, decided_at, HORIZON_HOURS * HOUR_MS, seed=seed).promoted:
            promoted.append(seed)
    return {"seeds": seeds, "rows": rows, "promoted": promoted, "planted": found_of_planted(rows=rows)}


def found_of_planted(*, rows: int) -> float:
    """The accuracy out of sample on a planted rule, a ratio of the Bayes-optimal one."""
    features, labels, decided_at = planted(np.random.default_rng(0), rows)
    return (
        train_selector(features, labels, decided_at, HORIZON_HOURS * HOUR_MS).out_of_sample.accuracy / RIGHT
    )


def noise(rng: np.random.Generator, rows: int) -> tuple[Any, Any, Any]:
    """Features that wander slowly and labels that hold for hours, neither knowing of the other."""
    features = np.cumsum(rng.normal(size=(rows, COLUMNS)), axis=0) * 0.1 + rng.normal(size=(rows, COLUMNS))
    changes = rng.random(rows) < 1 / 12
    drawn = rng.choice(GROUPS, rows, p=[0.31, 0.36, 0.14, 0.11, 0.08])
    labels = drawn[np.maximum.accumulate(np.where(changes, np.arange(rows), 0))]
    return features, labels, HOUR_MS * np.arange(rows)


def planted(rng: np.random.Generator, rows: int) -> tuple[Any, Any, Any]:
    """A rule that is right RIGHT of the time, the Bayes-optimal accuracy, hidden in one of many columns."""
    features = rng.normal(size=(rows, COLUMNS))
    rule = np.minimum((features[:, 0].argsort().argsort() * GROUPS) // rows, GROUPS - 1)
    other = (rule + rng.integers(1, GROUPS, rows)) % GROUPS
    labels = np.where(rng.random(rows) < RIGHT, rule, other)
    return features, labels, HOUR_MS * np.arange(rows)

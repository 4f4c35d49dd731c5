"""Searches give the same batches again, keep inside their space, and are chosen from by their past alone."""

from collections.abc import Callable

import numpy as np
import pytest

from research.engine.search import BATCH, Combination, Dimension, start_search
from research.engine.walk_forward_choice import choose_forward, overfitting_of, search_folds

SPACE = [Dimension("fast", 2, 20, 1), Dimension("stop", 0.5, 2, 0.25)]


def rising(each: Combination) -> bool:
    return each["fast"] > 5


def walked(method: str, number: int, seed: int, score: Callable[[Combination], float]) -> list[Combination]:
    search = start_search(SPACE, method=method, number=number, seed=seed, is_possible=rising)
    found: list[Combination] = []
    while batch := search.ask():
        assert len(batch) <= BATCH
        found += batch
        search.tell([score(each) for each in batch])
    return found


def hill(each: Combination) -> float:
    return -((each["fast"] - 12) ** 2) - (each["stop"] - 1) ** 2


def test_a_grid_holds_each_possible_combination_once() -> None:
    found = walked("grid", 5000, 0, hill)
    assert len(found) == len({tuple(each.items()) for each in found}) == 15 * 7
    assert all(rising(each) for each in found)


def test_random_draws_each_once_and_others_with_another_seed() -> None:
    first, again, other = (walked("random", 60, seed, hill) for seed in (1, 1, 2))
    assert first == again != other
    assert len({tuple(each.items()) for each in first}) == 60
    assert len(walked("random", 5000, 1, hill)) == 15 * 7


def test_optuna_told_the_same_asks_the_same_and_learns() -> None:
    first, again = (walked("optuna", 120, 3, hill) for _ in range(2))
    assert first == again
    assert first != walked("optuna", 120, 3, lambda each: -hill(each))
    assert np.mean([hill(each) for each in first[-40:]]) > np.mean([hill(each) for each in first[:40]])
    assert walked("optuna", 40, 3, lambda _: np.nan)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "magic"}, "no search"),
        ({"number": 0}, "0 combinations"),
        ({"space": []}, "at least one"),
        ({"space": [SPACE[0], SPACE[0]]}, "twice"),
    ],
)
def test_what_cannot_be_searched_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        start_search(**({"space": SPACE, "method": "grid", "number": 10, "seed": 0} | wrong))  # type: ignore[arg-type]


def test_folds_end_with_the_rows_and_keep_the_gap() -> None:
    folds = search_folds(401, folds=4, purge=3, embargo=2)
    assert len(folds) == 4
    assert folds[-1].test[-1] == 400
    for fold in folds:
        assert fold.test[0] - fold.train[-1] == 6


def test_the_choice_reads_the_past_of_each_test_only() -> None:
    rng = np.random.default_rng(5)
    returns = rng.normal(0, 0.01, (400, 8))
    folds = search_folds(400, folds=4, purge=1, embargo=0)
    returns[:, 3] += np.where(np.arange(400) < folds[2].test[0], 0.01, -0.01)
    returns[:, 7] = np.nan
    choices, followed = choose_forward(returns, folds)
    assert [each.column for each in choices] == [3, 3, 3, 3]
    changed = returns.copy()
    changed[folds[0].test[0] :, 1] += 1.0
    assert choose_forward(changed, folds)[0][0].column == 3
    assert np.array_equal(followed[: len(folds[0].test)], returns[folds[0].test, 3])
    assert overfitting_of(returns[:, [3, 7]]) is None

import numpy as np
import pytest

from research.engine.overfitting import sensitivity_map

GRID = np.meshgrid([5, 10, 20], [50, 100], [1, 2], indexing="ij")
FAST, SLOW, OTHER = (each.ravel() for each in GRID)


def test_the_map_holds_the_median_over_the_other_parameters() -> None:
    score = FAST / 10 + SLOW / 100 + OTHER

    found = sensitivity_map({"fast": FAST, "slow": SLOW, "other": OTHER}, score, x="fast", y="slow")

    assert found.x_values.tolist() == [5, 10, 20]
    assert found.y_values.tolist() == [50, 100]
    assert found.score.tolist() == [[2.5, 3.0, 4.0], [3.0, 3.5, 4.5]]
    assert (found.runs == 2).all()
    assert (found.best, found.best_x, found.best_y) == (4.5, 20, 100)
    assert found.neighbours == 3.5
    assert found.plateau == pytest.approx(3.5 / 4.5)


def test_a_needle_is_not_shared_by_its_neighbours_and_a_failed_run_counts_nowhere() -> None:
    score = np.where((FAST == 10) & (SLOW == 50), 3.0, 0.1)
    score[(FAST == 5) & (SLOW == 50) & (OTHER == 1)] = np.nan

    found = sensitivity_map({"fast": FAST, "slow": SLOW}, score, x="fast", y="slow")

    assert found.best == 3
    assert found.plateau == pytest.approx(0.1 / 3)
    assert found.runs.tolist() == [[1, 2, 2], [2, 2, 2]]


def test_a_cell_without_runs_is_nan() -> None:
    found = sensitivity_map({"a": [1, 2], "b": [1, 2]}, [1.0, 2.0], x="a", y="b")

    assert np.isnan(found.score).tolist() == [[False, True], [True, False]]
    assert found.plateau == 0.5


@pytest.mark.parametrize(
    ("scores", "y", "words"),
    [
        ([1.0, 2.0], "a", "two parameters"),
        ([1.0, 2.0], "c", "no parameter"),
        ([1.0], "b", "one length"),
        ([np.nan, np.nan], "b", "not one run"),
    ],
)
def test_what_makes_no_map_is_refused(scores: list[float], y: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sensitivity_map({"a": [1, 2], "b": [1, 2]}, scores, x="a", y=y)

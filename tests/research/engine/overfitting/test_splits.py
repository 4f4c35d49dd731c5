"""Folds against skfolio, and their promise that no label is shared, against every pair of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV

from research.engine.overfitting import combinatorial_paths, combinatorial_purged, walk_forward


@pytest.mark.parametrize(("groups", "test_groups"), [(4, 2), (6, 2), (6, 3), (5, 1 + 1)])
@pytest.mark.parametrize(("purge", "embargo"), [(0, 0), (2, 0), (0, 3), (2, 3)])
def test_folds_are_those_of_skfolio(groups: int, test_groups: int, purge: int, embargo: int) -> None:
    rows = 20 * groups
    theirs = CombinatorialPurgedCV(groups, test_groups, purged_size=purge, embargo_size=embargo)

    ours = combinatorial_purged(rows, groups=groups, test_groups=test_groups, purge=purge, embargo=embargo)

    expected = list(theirs.split(np.zeros((rows, 2))))
    assert len(ours) == len(expected) == theirs.n_splits
    for fold, (train, tests) in zip(ours, expected, strict=True):
        assert fold.train.tolist() == train.tolist()
        assert fold.test.tolist() == np.concatenate(tests).tolist()
    assert len(combinatorial_paths(groups, test_groups)) == theirs.n_test_paths


@given(rows=st.integers(12, 60), groups=st.integers(3, 6), purge=st.integers(0, 3), embargo=st.integers(0, 3))
def test_no_label_reaches_from_training_into_test(rows: int, groups: int, purge: int, embargo: int) -> None:
    try:
        folds = combinatorial_purged(rows, groups=groups, test_groups=2, purge=purge, embargo=embargo)
    except ValueError as error:
        assert "nothing to train on" in str(error)  # noqa: PT017
        return
    for fold in folds:
        apart = fold.train[:, None] - fold.test[None, :]
        assert (np.abs(apart) > purge).all()
        assert not ((apart > 0) & (apart <= purge + embargo)).any()
        assert len(fold.test) + len(fold.train) <= rows


def test_every_path_tests_every_group_once_and_no_test_twice() -> None:
    paths = combinatorial_paths(6, 2)
    folds = combinatorial_purged(60, groups=6, test_groups=2)

    assert paths.shape == (5, 6)
    used = {(int(fold), group) for path in paths for group, fold in enumerate(path)}
    assert len(used) == paths.size
    assert all(group in folds[fold].groups for fold, group in used)


@given(
    rows=st.integers(10, 200),
    train_rows=st.integers(1, 40),
    test_rows=st.integers(1, 30),
    purge=st.integers(0, 5),
    embargo=st.integers(0, 5),
)
def test_a_walk_trains_on_the_past_only_and_tests_the_rest_once(
    rows: int, train_rows: int, test_rows: int, purge: int, embargo: int
) -> None:
    first = train_rows + purge + embargo
    if first >= rows:
        with pytest.raises(ValueError, match="too few"):
            walk_forward(rows, train_rows=train_rows, test_rows=test_rows, purge=purge, embargo=embargo)
        return

    folds = walk_forward(rows, train_rows=train_rows, test_rows=test_rows, purge=purge, embargo=embargo)

    assert np.concatenate([fold.test for fold in folds]).tolist() == list(range(first, rows))
    for fold in folds:
        assert len(fold.train) == train_rows
        assert fold.test[0] - fold.train[-1] == purge + embargo + 1


def test_an_anchored_walk_keeps_its_first_row() -> None:
    folds = walk_forward(20, train_rows=5, test_rows=5, purge=1, anchored=True)

    assert [(fold.train[0], fold.train[-1], fold.test[0]) for fold in folds] == [
        (0, 4, 6),
        (0, 9, 11),
        (0, 14, 16),
    ]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: walk_forward(10, train_rows=0, test_rows=1), "train_rows"),
        (lambda: walk_forward(10, train_rows=1, test_rows=1, purge=-1), "purge"),
        (lambda: combinatorial_purged(10, groups=3, test_groups=3), "test_groups"),
        (lambda: combinatorial_purged(2, groups=3, test_groups=1), "too few"),
    ],
)
def test_splits_that_make_no_sense_are_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]

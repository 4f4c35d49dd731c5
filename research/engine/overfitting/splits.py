"""Training and test rows that share no label: walk-forward and combinatorial purged cross-validation."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Rows to train on and rows to test on, oldest first; `groups` names the test's groups where there are any."""

    train: IntArray
    test: IntArray
    groups: tuple[int, ...] = ()


def walk_forward(
    rows: int, *, train_rows: int, test_rows: int, purge: int = 0, embargo: int = 0, anchored: bool = False
) -> list[Fold]:
    """Tests that follow each other to the end of `rows`, each trained on what came before it only.

    The training ends `purge` + `embargo` rows before its test: `purge` is how many rows a label looks ahead,
    `embargo` a margin for what remains correlated. It has `train_rows`, or with `anchored` all since the first row.
    The last test may be shorter. ValueError where not a single test is left.
    """
    _check_counts(train_rows=train_rows, test_rows=test_rows, least=1)
    _check_counts(purge=purge, embargo=embargo, least=0)
    gap = purge + embargo
    first = train_rows + gap
    if first >= rows:
        raise ValueError(f"rows: {rows} are too few for {train_rows} to train on, a gap of {gap} and a test")
    every = np.arange(rows)
    return [
        Fold(every[0 if anchored else begin - first : begin - gap], every[begin : begin + test_rows])
        for begin in range(first, rows, test_rows)
    ]


def combinatorial_purged(
    rows: int, *, groups: int, test_groups: int, purge: int = 0, embargo: int = 0
) -> list[Fold]:
    """Every choice of `test_groups` out of `groups` stretches of equal length as test, the others as training.

    Of the training go the `purge` rows before and after each stretch of tests (their labels overlap), and `embargo`
    more after it. The first groups are one row longer where the rows do not divide.
    Source: López de Prado, Advances in Financial Machine Learning (2018), chapters 7 and 12.
    """
    _check_groups(groups, test_groups)
    _check_counts(purge=purge, embargo=embargo, least=0)
    if rows < groups:
        raise ValueError(f"rows: {rows} are too few for {groups} groups")
    member = np.repeat(np.arange(groups), [len(each) for each in np.array_split(np.arange(rows), groups)])
    folds = []
    for chosen in combinations(range(groups), test_groups):
        tested = np.isin(member, chosen)
        near = np.zeros(rows, dtype=np.bool_)
        for row in np.flatnonzero(np.diff(tested.astype(np.int8), prepend=0) == 1):
            near[max(row - purge, 0) : row] = True
        for row in np.flatnonzero(np.diff(tested.astype(np.int8), append=0) == -1):
            near[row + 1 : row + 1 + purge + embargo] = True
        train = np.flatnonzero(~tested & ~near)
        if not len(train):
            raise ValueError(
                f"rows: with groups {chosen} as test, purge and embargo leave nothing to train on"
            )
        folds.append(Fold(train, np.flatnonzero(tested), chosen))
    return folds


def combinatorial_paths(groups: int, test_groups: int) -> IntArray:
    """(paths, groups): which fold of `combinatorial_purged` tests each group on each path through the history.

    Every group is tested as often as there are paths, and no fold's test of a group is on two of them.
    """
    _check_groups(groups, test_groups)
    chosen = np.array(list(combinations(range(groups), test_groups)))
    return np.array([np.flatnonzero((chosen == group).any(axis=1)) for group in range(groups)]).T


def _check_groups(groups: int, test_groups: int) -> None:
    if not 1 <= test_groups < groups:
        raise ValueError(f"test_groups must be from 1 to groups - 1 = {groups - 1}, not {test_groups}")


def _check_counts(*, least: int, **counts: int) -> None:
    for name, value in counts.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, not {value}")

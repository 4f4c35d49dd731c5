"""Which combinations of parameters a search tries, in fixed batches: grid, random, or Optuna told what came of each.

The same space, method, number and seed and the same scores give the same batches: whoever kept the scores can ask
all over again and arrives where the search stood.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import isfinite, prod
from typing import Any, Protocol

import numpy as np

BATCH = 20
MOST_COMBINATIONS = 5_000
MOST_VALUES = 1_000
METHODS = ("grid", "random", "optuna")
Combination = dict[str, float]


@dataclass(frozen=True, slots=True)
class Dimension:
    """low, low + step, ... up to high. ValueError for what has no values, or too many of them."""

    name: str
    low: float
    high: float
    step: float

    def __post_init__(self) -> None:
        if not all(isfinite(value) for value in (self.low, self.high, self.step)):
            raise ValueError(f"{self.name}: its bounds and its step must be finite")
        if self.low > self.high:
            raise ValueError(f"{self.name}: {self.low:g} is above {self.high:g}")
        if self.step <= 0:
            raise ValueError(f"{self.name}: its step must be above zero, not {self.step:g}")
        if self.size > MOST_VALUES:
            raise ValueError(
                f"{self.name}: {self.size} values are more than {MOST_VALUES}; take a longer step"
            )

    @property
    def size(self) -> int:
        return int((self.high - self.low) / self.step + 1e-9) + 1

    def value(self, place: int) -> float:
        return round(self.low + place * self.step, 10)


class Search(Protocol):
    """`ask` gives the next batch, none when the search has ended; `tell` its scores, NaN where there is none."""

    @property
    def total(self) -> int: ...
    def ask(self) -> list[Combination]: ...
    def tell(self, scores: Sequence[float]) -> None: ...


def start_search(
    space: Sequence[Dimension],
    *,
    method: str,
    number: int,
    seed: int,
    is_possible: Callable[[Combination], bool] = bool,
) -> Search:
    """number: how many combinations at most. Those that are not possible are left out; Optuna is told of them."""
    check(space, method, number)
    if method == "optuna":
        return _OptunaSearch(space, number, seed, is_possible)
    found = _every(space) if method == "grid" else _drawn(space, seed)
    return _ListSearch(list(islice(filter(is_possible, found), number)))


def check(space: Sequence[Dimension], method: str, number: int) -> None:
    """ValueError in words."""
    if method not in METHODS:
        raise ValueError(f"method: there is no search called {method!r}, only {', '.join(METHODS)}")
    if not 1 <= number <= MOST_COMBINATIONS:
        raise ValueError(f"number: {number} combinations; 1 to {MOST_COMBINATIONS} can be tried")
    if not space:
        raise ValueError("space: choose at least one parameter to search over")
    if len({each.name for each in space}) < len(space):
        raise ValueError("space: a parameter stands in it twice")
    if method == "grid" and (size := prod(each.size for each in space)) > MOST_COMBINATIONS:
        raise ValueError(f"space: its grid has {size} combinations, {MOST_COMBINATIONS} can be tried")


def _every(space: Sequence[Dimension]) -> Iterator[Combination]:
    for places in product(*(range(each.size) for each in space)):
        yield {each.name: each.value(place) for each, place in zip(space, places, strict=True)}


def _drawn(space: Sequence[Dimension], seed: int) -> Iterator[Combination]:
    """Each combination once, in an order made by chance; ends after many draws without a new one."""
    rng = np.random.default_rng(seed)
    sizes = [each.size for each in space]
    seen: set[tuple[int, ...]] = set()
    size, in_vain = prod(sizes), 0
    while len(seen) < size and in_vain < 20 * MOST_COMBINATIONS:
        places = tuple(int(place) for place in rng.integers(0, sizes))
        in_vain += 1
        if places not in seen:
            seen.add(places)
            in_vain = 0
            yield {each.name: each.value(place) for each, place in zip(space, places, strict=True)}


class _ListSearch:
    def __init__(self, combinations: list[Combination]) -> None:
        self._combinations, self._at = combinations, 0

    @property
    def total(self) -> int:
        return len(self._combinations)

    def ask(self) -> list[Combination]:
        batch = self._combinations[self._at : self._at + BATCH]
        self._at += len(batch)
        return batch

    def tell(self, scores: Sequence[float]) -> None:
        pass


class _OptunaSearch:
    """Tree-structured Parzen estimator, asked and told in this process's memory."""

    def __init__(
        self,
        space: Sequence[Dimension],
        number: int,
        seed: int,
        is_possible: Callable[[Combination], bool],
    ) -> None:
        import optuna  # noqa: PLC0415  (a second, for those who search by it)

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna: Any = optuna
        self._study: Any = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
        )
        self._space, self._number, self._is_possible = space, number, is_possible
        self._asked = 0
        self._batch: list[Any] = []

    @property
    def total(self) -> int:
        return self._number

    def ask(self) -> list[Combination]:
        found: list[Combination] = []
        self._batch = []
        while not found and self._asked < self._number:
            for _ in range(min(BATCH, self._number - self._asked)):
                self._asked += 1
                trial = self._study.ask()
                combination = {
                    each.name: each.value(trial.suggest_int(each.name, 0, each.size - 1))
                    for each in self._space
                }
                if self._is_possible(combination):
                    self._batch.append(trial)
                    found.append(combination)
                else:
                    self._fail(trial)
        return found

    def tell(self, scores: Sequence[float]) -> None:
        for trial, score in zip(self._batch, scores, strict=True):
            if isfinite(score):
                self._study.tell(trial, score)
            else:
                self._fail(trial)

    def _fail(self, trial: Any) -> None:
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)


def space_of(values: Mapping[str, Sequence[float]]) -> list[Dimension]:
    """From {name: [low, high, step]}; ValueError names what is wrong."""
    found = []
    for name, bounds in values.items():
        if len(bounds) != 3:
            raise ValueError(f"{name}: give its lowest and highest value and the step between them")
        found.append(Dimension(name, *(float(each) for each in bounds)))
    return found

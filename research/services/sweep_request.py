"""What a search over parameters is asked with: checked once, kept as JSON, built anew from it by the worker."""

from dataclasses import asdict, dataclass, fields, replace
from math import ceil
from typing import Any

from research.engine.search import Combination, Dimension, Search, check, space_of, start_search
from research.services.backtest_request import BacktestRequest
from signals.engine.outcome import HORIZON_BARS
from signals.engine.timeframe import Timeframe

MOST_FOLDS = 20
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """base: the backtest that is varied. space: {parameter: [low, high, step]}. embargo: days between what is learnt
    from and its test, beyond those that a trade may last. ValueError begins with the field that is wrong.
    """

    base: BacktestRequest
    space: dict[str, list[float]]
    method: str = "grid"
    number: int = 200
    seed: int = 0
    folds: int = 5
    embargo: int = 1

    def __post_init__(self) -> None:
        check(self.dimensions, self.method, self.number)
        self._check_bounds()
        if not 2 <= self.folds <= MOST_FOLDS:
            raise ValueError(f"folds: {self.folds}; 2 to {MOST_FOLDS} tests can follow each other")
        if self.embargo < 0:
            raise ValueError("embargo: it cannot be below zero")
        if not self.search_is_possible():
            raise ValueError("space: not one of its combinations can be run")

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "SweepRequest":
        known = {each.name for each in fields(cls)} - {"base"}
        rest = {name: value for name, value in values.items() if name in known}
        return cls(base=BacktestRequest.from_json(values["base"]), **rest)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def dimensions(self) -> list[Dimension]:
        return space_of(self.space)

    @property
    def purge(self) -> int:
        """Days that a trade may last: what is decided before a test may end inside it."""
        return ceil(HORIZON_BARS * Timeframe(self.base.timeframe).seconds / DAY_SECONDS)

    def search(self) -> Search:
        return start_search(
            self.dimensions,
            method=self.method,
            number=self.number,
            seed=self.seed,
            is_possible=lambda each: self.with_parameters(each) is not None,
        )

    def _check_bounds(self) -> None:
        bounds = self.base.parameter_bounds()
        defaults = self.base.default_parameters()
        for each in self.dimensions:
            if each.name not in bounds:
                raise ValueError(f"space: {each.name} is no parameter of {self.base.strategy}")
            low, high = bounds[each.name]
            if each.low < low or each.high > high:
                raise ValueError(f"space: {each.name} must be from {low:g} to {high:g}")
            whole = all(float(value).is_integer() for value in (each.low, each.step))
            if isinstance(defaults[each.name], int) and not whole:
                raise ValueError(f"space: {each.name} must be whole numbers, its step too")

    def search_is_possible(self) -> bool:
        """Some combination is one that the strategy accepts; a name or bound that it does not know raises."""
        corners = [{each.name: each.value(0) for each in self.dimensions}]
        corners += [corners[0] | {each.name: each.value(each.size - 1)} for each in self.dimensions]
        corners.append({each.name: each.value(each.size - 1) for each in self.dimensions})
        if any(self.with_parameters(each) is not None for each in corners):
            return True
        return bool(self.search().ask())

    def with_parameters(self, combination: Combination) -> BacktestRequest | None:
        """None where the strategy refuses the combination, such as a fast average that is slower than the slow one.

        What equals the default is left out, so that a backtest of the same is the same trial.
        """
        defaults = self.base.default_parameters()
        given = self.base.parameters | combination
        try:
            return replace(
                self.base,
                parameters={name: value for name, value in given.items() if value != defaults.get(name)},
            )
        except ValueError:
            return None

"""Public functions whose row t speaks of what was known at row t, and how long each remembers.

Decorate such a function with `row_wise`. The look-ahead gate then scrambles the future behind it and the
recursive gate checks its warm-up, both without a further line, as long as its array arguments are named
`open_`, `high`, `low`, `close`, `volume` or `ohlcv`. The function itself stays as it is.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
WarmUp = int | Callable[..., int]


@dataclass(frozen=True, slots=True)
class RowWise:
    """How a function is called (`example`: values for parameters without default) and what it remembers."""

    function: Callable[..., Any]
    warm_up: WarmUp
    cumulative: bool
    example: Mapping[str, float]


_ROW_WISE: dict[str, RowWise] = {}
ROW_WISE: Mapping[str, RowWise] = MappingProxyType(_ROW_WISE)  # by module and name


def row_wise(
    *, warm_up: WarmUp, cumulative: bool = False, **example: float
) -> Callable[[Function], Function]:
    """Register a function whose every row depends on that row and the rows before it only.

    warm_up: bars after which a value no longer depends on where the window began (to 1e-6 of itself or
        of its deviation); a number, or a function of those of its parameters that it names.
    cumulative: the level depends on where the window began, for ever; only its differences do not.
    """

    def register(function: Function) -> Function:
        name = f"{function.__module__}.{function.__qualname__}"
        _ROW_WISE[name] = RowWise(function, warm_up, cumulative, MappingProxyType(example))
        return function

    return register


def warm_up(function: Callable[..., Any], **parameters: float) -> int:
    """Bars that `function` needs with these parameters; KeyError when it is not registered."""
    entry = ROW_WISE[f"{function.__module__}.{function.__qualname__}"]
    if isinstance(entry.warm_up, int):
        return entry.warm_up
    known = {name: each.default for name, each in inspect.signature(function).parameters.items()}
    known |= dict(entry.example) | parameters
    return entry.warm_up(**{name: known[name] for name in inspect.signature(entry.warm_up).parameters})

"""Answers that change at few moments, kept while one walks over history and asks at each of very many."""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Answers:
    """By how many of `changes` had happened."""

    changes: list[datetime]
    found: dict[int, Any] = field(default_factory=dict)


_kept: ContextVar[dict[Hashable, _Answers] | None] = ContextVar("standing_answers", default=None)


@contextmanager
def walking() -> Iterator[None]:
    """Inside, what is asked of the past stands: nobody writes it meanwhile."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def standing(
    key: Hashable,
    as_of: datetime,
    *,
    changes: Callable[[], Iterable[datetime | None]],
    ask: Callable[[], T],
) -> T:
    """What `ask` answers at `as_of`; on a walk asked once between two of the moments at which it may change."""
    kept = _kept.get()
    if kept is None:
        return ask()
    if key not in kept:
        kept[key] = _Answers(sorted({moment for moment in changes() if moment is not None}))
    answers = kept[key]
    happened = bisect_right(answers.changes, as_of)
    if happened not in answers.found:
        answers.found[happened] = ask()
    answer: T = answers.found[happened]
    return answer

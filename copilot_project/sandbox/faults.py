"""Faults on request: what shall go wrong, for whom and how often."""

import random
from dataclasses import dataclass, field
from typing import Literal, get_args

Common = Literal["429", "418", "403", "400", "500", "502", "hang", "close", "garbage", "late"]
OfSentiment = Literal["401", "404", "410", "422", "empty", "range", "naive"]
Kind = Common | OfSentiment
Target = Literal["telegram", "exchange", "xai", "finnhub"]
KINDS: tuple[str, ...] = get_args(Common)
KINDS_OF_SENTIMENT: tuple[str, ...] = get_args(OfSentiment)
TARGETS: tuple[str, ...] = get_args(Target)
FIELDS = {
    "kind",
    "target",
    "count",
    "probability",
    "chat_id",
    "method",
    "retry_after",
    "seconds",
    "description",
}


class FaultError(ValueError):
    """A fault that was asked for wrongly; the text says what is allowed."""


@dataclass
class Fault:
    """Strikes `count` times (None: for ever), each time with `probability`.

    `method` empty: whatever sends a message, or any endpoint of the others; "*": every method.
    """

    kind: Kind
    target: Target = "telegram"
    count: int | None = None
    probability: float = 1.0
    chat_id: int | None = None
    method: str = ""
    retry_after: int = 1
    seconds: float = 5.0
    description: str = ""

    @property
    def accepts(self) -> bool:
        """Whether the request takes effect although the caller may never learn it."""
        return self.kind in ("502", "hang", "close", "garbage", "late")

    def matches(self, target: Target, method: str, chat_id: int | None) -> bool:
        wanted_chat = self.chat_id is None or self.chat_id == chat_id
        return self.target == target and wanted_chat and self._wants(method.lower()) and self.count != 0

    def _wants(self, method: str) -> bool:
        if not self.method:
            return self.target != "telegram" or method.startswith("send")
        return self.method in ("*", method) or self.method.lower() == method


def fault_from(asked: dict[str, object]) -> Fault:
    """Check a JSON object; raises FaultError with what is allowed."""
    unknown = set(asked) - FIELDS
    if unknown:
        raise FaultError(f"unknown fields {sorted(unknown)}; allowed: {sorted(FIELDS)}")
    target = asked.get("target", "telegram")
    if target not in TARGETS:
        raise FaultError(f"target must be one of {', '.join(TARGETS)}")
    kinds = (*KINDS, *KINDS_OF_SENTIMENT) if target in ("xai", "finnhub") else KINDS
    if str(asked.get("kind")) not in kinds:
        raise FaultError(f"kind must be one of {', '.join(kinds)}")
    return Fault(**(asked | {"kind": str(asked["kind"])}))  # type: ignore[arg-type]


@dataclass
class Faults:
    """The faults in force; chance is seeded so that a run can be repeated."""

    seed: int
    active: list[Fault] = field(default_factory=list)
    struck: dict[str, int] = field(default_factory=dict)
    latency_ms: int = 0

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 - chance of a test, not a secret

    def strike(self, target: Target, method: str, chat_id: int | None = None) -> Fault | None:
        """The fault that hits this request, if any; it is used up by one."""
        for fault in self.active:
            if fault.matches(target, method, chat_id) and self._rng.random() < fault.probability:
                if fault.count is not None:
                    fault.count -= 1
                self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
                return fault
        return None

    def clear(self) -> None:
        self.active.clear()

"""What one seed is told to do, and what came of it; the reports of all seeds add up."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from signals.crash_points import CrashPoint

BACK_WITHIN_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """One seed's share. `lease_seconds` and `longest_delay` are the sender's lease and the supervisor's backoff."""

    seed: int
    signals: int
    subscribers: int
    sender_kills: int
    other_kills: int
    per_point: int
    postgres_kills: int
    redis_kills: int
    flushes: int
    latency_ms: int
    lease_seconds: float
    longest_delay: float


@dataclass
class Report:
    """The journal's verdict, with what was done to the system."""

    seeds: list[int]
    signals: int = 0
    deliveries: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    sender_kills_while_sending: int = 0
    crash_points: Counter[str] = field(default_factory=Counter)
    flushes: int = 0
    signals_missing: int = 0
    accepted: int = 0
    accepted_pictures: int = 0
    accepted_follow_ups: int = 0
    lost: int = 0
    left_unknown: int = 0
    left_unknown_and_never_arrived: int = 0
    follow_ups_ended_with_an_unknown_signal: int = 0
    sent_twice: int = 0
    sent_twice_unmarked: int = 0
    sent_more_than_twice: int = 0
    sent_twice_allowed: int = 0
    states: Counter[str] = field(default_factory=Counter)
    taps: int = 0
    taps_without_effect: int = 0
    ledger_broken: int = 0
    seconds_until_back: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, other: Self) -> None:
        """Take another seed's figures in."""
        for name, theirs in vars(other).items():
            if name == "seconds_until_back":
                for process, waits in theirs.items():
                    self.seconds_until_back.setdefault(process, []).extend(waits)
            else:
                setattr(self, name, getattr(self, name) + theirs)

    @property
    def later_than_allowed(self) -> int:
        waits = [wait for waits in self.seconds_until_back.values() for wait in waits]
        return sum(wait > BACK_WITHIN_SECONDS for wait in waits)

    @property
    def failed(self) -> bool:
        """Whether the system did wrong; that it was hurt less than asked is `figures`' to show."""
        return bool(
            self.lost
            or self.signals_missing
            or self.sent_twice > self.sent_twice_allowed
            or self.sent_twice_unmarked
            or self.sent_more_than_twice
            or self.taps_without_effect
            or self.ledger_broken
            or self.later_than_allowed
            or self.sender_kills_while_sending * 2 < self.kills["sender"]
        )

    def figures(self) -> dict[str, object]:
        """As they are printed: one line each."""
        shown: dict[str, object] = dict(vars(self))
        shown["kills"] = _listed(self.kills) + f"; {self.kills.total()} in all"
        shown["crash_points"] = _listed(
            Counter({point.value: self.crash_points[point] for point in CrashPoint})
        )
        shown["states"] = _listed(self.states)
        del shown["seconds_until_back"]
        for process, waits in sorted(self.seconds_until_back.items()):
            middle = sorted(waits)[len(waits) // 2]
            shown[f"seconds_until_back_{process}"] = (
                f"median {middle:.1f}, longest {max(waits):.1f}, of {len(waits)}"
            )
        shown[f"back_later_than_{BACK_WITHIN_SECONDS:.0f}_seconds"] = self.later_than_allowed
        return shown | {"seconds": round(self.seconds, 1), "failed": self.failed}


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())

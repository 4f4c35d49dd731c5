"""The exchange's clock, and how its time maps onto the market's own time."""

import time
from dataclasses import dataclass

from copilot_project.sandbox.market.bars import DAY_MS


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Timeline:
    """Exchange time is wall time plus `clock_offset_ms`; market time is exchange time less `shift_days`.

    A clock that tells recorded time `may_advance`: whoever tells a story turns it on by hand, never back.
    """

    shift_days: int = 0
    clock_offset_ms: int = 0
    may_advance: bool = False

    @property
    def shift_ms(self) -> int:
        return self.shift_days * DAY_MS

    def now_ms(self) -> int:
        """The exchange's server time, UTC ms."""
        return wall_ms() + self.clock_offset_ms

    def advance_to(self, moment_ms: int) -> None:
        """ValueError for a clock that tells today's time, and for a moment that is over."""
        if not self.may_advance:
            raise ValueError(
                "this exchange tells today's time: start the sandbox with --time recorded --start"
            )
        if moment_ms < self.now_ms():
            raise ValueError("a clock goes on, never back")
        self.clock_offset_ms = moment_ms - wall_ms()

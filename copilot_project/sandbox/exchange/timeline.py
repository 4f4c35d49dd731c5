"""The exchange's clock, and how its time maps onto the market's own time."""

import time
from dataclasses import dataclass

from copilot_project.sandbox.market.bars import DAY_MS


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Timeline:
    """Exchange time is wall time plus `clock_offset_ms`; market time is exchange time less `shift_days`."""

    shift_days: int = 0
    clock_offset_ms: int = 0

    @property
    def shift_ms(self) -> int:
        return self.shift_days * DAY_MS

    def now_ms(self) -> int:
        """The exchange's server time, UTC ms."""
        return wall_ms() + self.clock_offset_ms

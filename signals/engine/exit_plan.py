"""How a signal is left, said before it is entered: one plan for outcomes, simulator, paper broker and messages.

A fixed plan has a stop and a target. A managed one has no target: after each close its stop follows the best close
since the decision at so many average true ranges (`atr`, period ATR_PERIOD, of that bar), never moves away from the
price, and acts from the next bar on. It ends after `longest_hold_bars` at the latest, at the next open.
No compiled code here, so that tables and messages can name plans without loading that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ATR_PERIOD = 14


class PlanKind(StrEnum):
    FIXED = "fixed"
    MANAGED = "managed"


@dataclass(frozen=True, slots=True)
class ExitPlan:
    """Prices in quote currency; `trail_atr` in average true ranges, `longest_hold_bars` in bars of the signal.

    ValueError for a fixed plan without a target or with a trail, a managed one with a target or without a trail
    and a longest hold, and for numbers that are not positive and finite.
    """

    kind: PlanKind
    stop: float
    target: float | None = None
    trail_atr: float | None = None
    longest_hold_bars: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", PlanKind(self.kind))
        for name in ("stop", "target", "trail_atr"):
            value = getattr(self, name)
            if value is not None and not (isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}; it must be a positive number")
        if self.longest_hold_bars is not None and self.longest_hold_bars < 1:
            raise ValueError(f"longest_hold_bars is {self.longest_hold_bars}; it must be at least 1")
        if self.kind is PlanKind.FIXED and (self.target is None or self.trail_atr is not None):
            raise ValueError("a fixed plan has a target and no trailing stop")
        managed = self.trail_atr is not None and self.longest_hold_bars is not None and self.target is None
        if self.kind is PlanKind.MANAGED and not managed:
            raise ValueError("a managed plan has a trailing stop and a longest hold, and no target")

    @property
    def is_managed(self) -> bool:
        return self.kind is PlanKind.MANAGED

    def check(self, *, sign: int, entry_price: float) -> None:
        """ValueError unless stop, entry and target stand in the order of a trade of that side (1 long, -1 short)."""
        if sign * (entry_price - self.stop) <= 0:
            raise ValueError(f"a stop of {self.stop} does not protect an entry at {entry_price}")
        if self.target is not None and sign * (self.target - entry_price) <= 0:
            raise ValueError(f"a target of {self.target} gains nothing from an entry at {entry_price}")

    def as_json(self) -> dict[str, Any]:
        """For rows and the ledger; `from_json` of it is the same plan."""
        return {
            "kind": self.kind.value,
            "stop": self.stop,
            "target": self.target,
            "trail_atr": self.trail_atr,
            "longest_hold_bars": self.longest_hold_bars,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "ExitPlan":
        """ValueError, KeyError or TypeError for what no plan says."""
        return cls(
            kind=PlanKind(said["kind"]),
            stop=float(said["stop"]),
            target=_float(said["target"]),
            trail_atr=_float(said["trail_atr"]),
            longest_hold_bars=None if said["longest_hold_bars"] is None else int(said["longest_hold_bars"]),
        )


def fixed(*, stop: float, target: float, longest_hold_bars: int | None = None) -> ExitPlan:
    return ExitPlan(PlanKind.FIXED, stop, target, None, longest_hold_bars)


def managed(*, stop: float, trail_atr: float, longest_hold_bars: int) -> ExitPlan:
    return ExitPlan(PlanKind.MANAGED, stop, None, trail_atr, longest_hold_bars)


def raised_stop(
    stop: float, *, sign: int, best_close: float, average_range: float, trail_atr: float
) -> float:
    """The stop after a close: `trail_atr` ranges behind the best close, or `stop` where that protects more.

    An unknown range (NaN) leaves the stop where it is.
    """
    level = best_close - sign * trail_atr * average_range
    if not isfinite(level) or level <= 0:
        return stop
    return max(stop, level) if sign > 0 else min(stop, level)


def stops_along(
    plan: ExitPlan, *, sign: int, closes: "npt.ArrayLike", ranges: "npt.ArrayLike"
) -> "npt.NDArray[np.float64]":
    """The stop that acts in each bar after the decision; equal in length to `closes`.

    closes, ranges: of the bar of the decision and those after it. Value i acts in the bar that follows row i, so it
    knows rows 0 to i alone. A fixed plan's stop stands still.
    """
    import numpy as np  # noqa: PLC0415  (web, beat and sender need the plan only)

    close, reach = (np.asarray(each, dtype=np.float64) for each in (closes, ranges))
    acting = np.full(len(close), plan.stop)
    if plan.trail_atr is None:
        return acting
    best, stop = close[0] if len(close) else 0.0, plan.stop
    for row in range(1, len(close)):
        best = max(best, close[row]) if sign > 0 else min(best, close[row])
        stop = raised_stop(
            stop,
            sign=sign,
            best_close=float(best),
            average_range=float(reach[row]),
            trail_atr=plan.trail_atr,
        )
        acting[row] = stop
    return acting


def _float(value: Any) -> float | None:
    return None if value is None else float(value)

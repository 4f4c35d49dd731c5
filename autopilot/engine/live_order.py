"""The life of an order at an exchange: its states, which may follow which, and when to ask again. Pure."""

from datetime import timedelta
from enum import StrEnum


class LiveState(StrEnum):
    """UNKNOWN: a call was made and nobody knows what it did. DROPPED: never sent, and never will be."""

    NEW = "new"
    SUBMITTING = "submitting"
    ACKED = "acked"
    PART_FILLED = "part_filled"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    DROPPED = "dropped"
    DECIDED = "decided"

    @property
    def is_final(self) -> bool:
        return self in FINAL

    @property
    def may_be_there(self) -> bool:
        """Whether the exchange may hold such an order."""
        return self in MAY_BE_THERE


FINAL = frozenset(
    {LiveState.FILLED, LiveState.CANCELLED, LiveState.REFUSED, LiveState.DROPPED, LiveState.DECIDED}
)
MAY_BE_THERE = frozenset({LiveState.SUBMITTING, LiveState.ACKED, LiveState.PART_FILLED, LiveState.UNKNOWN})
_AT_THE_VENUE = frozenset({LiveState.ACKED, LiveState.PART_FILLED, LiveState.FILLED, LiveState.CANCELLED})
# A decision of a person ends only what is unknown. Time alone ends nothing.
FOLLOWERS: dict[LiveState, frozenset[LiveState]] = {
    LiveState.NEW: frozenset({LiveState.SUBMITTING, LiveState.DROPPED}),
    LiveState.SUBMITTING: _AT_THE_VENUE | {LiveState.REFUSED, LiveState.UNKNOWN, LiveState.DROPPED},
    LiveState.UNKNOWN: _AT_THE_VENUE | {LiveState.REFUSED, LiveState.DECIDED},
    LiveState.ACKED: frozenset({LiveState.PART_FILLED, LiveState.FILLED, LiveState.CANCELLED}),
    LiveState.PART_FILLED: frozenset({LiveState.FILLED, LiveState.CANCELLED}),
}

FIRST_LOOK = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)


class TransitionError(ValueError):
    """An order cannot go this way; nothing is written."""


def require_step(before: LiveState, after: LiveState) -> None:
    """TransitionError unless `after` may follow `before`; to stay is always allowed."""
    if before is not after and after not in FOLLOWERS.get(before, frozenset()):
        raise TransitionError(f"an order that is {before} cannot become {after}")


def pause_before(look: int) -> timedelta:
    """Before the look of that number (from 0) at an order of unknown fate: doubled each time, five minutes at most."""
    return min(FIRST_LOOK * 2 ** min(look, 12), LONGEST_PAUSE)

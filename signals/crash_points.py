"""Named places at which a process can be made to die, so that tests find out what a crash there costs.

`COPILOT_CRASH_AT=after_send` ends the process there at its first visit, `after_send:3` at its third. Production
refuses to start with it.
"""

import os
from collections.abc import Callable
from enum import StrEnum
from functools import partial

EXIT_STATUS = 86


class CrashPoint(StrEnum):
    # Sender.
    BEFORE_CLAIM = "before_claim"
    AFTER_CLAIM = "after_claim"
    BEFORE_SEND = "before_send"
    AFTER_SEND = "after_send"
    BEFORE_SETTLE = "before_settle"
    AFTER_SETTLE = "after_settle"
    # Publication, with the fan-out inside its transaction.
    AFTER_SIGNAL_INSERT = "after_signal_insert"
    AFTER_FAN_OUT_BEFORE_COMMIT = "after_fan_out_before_commit"
    AFTER_COMMIT = "after_commit"
    # Inbox.
    AFTER_UPDATE_INSERT = "after_update_insert"
    AFTER_EFFECT_BEFORE_COMMIT = "after_effect_before_commit"
    BEFORE_REPLY = "before_reply"
    AFTER_REPLY = "after_reply"
    # Cycle of an autopilot.
    BEFORE_CYCLE_COMMIT = "before_cycle_commit"
    # Executor of live orders.
    BEFORE_SUBMITTING = "before_submitting"
    AFTER_SUBMITTING = "after_submitting"
    AFTER_SUBMIT_CALL = "after_submit_call"
    AFTER_ACKNOWLEDGED = "after_acknowledged"
    AFTER_BOOKING_BEFORE_COMMIT = "after_booking_before_commit"
    AFTER_BOOKING = "after_booking"
    AFTER_CANCEL_CALL = "after_cancel_call"
    BEFORE_RECONCILED = "before_reconciled"


# How a process ends there; a test may have it be a signal.
end: Callable[[], None] = partial(os._exit, EXIT_STATUS)
_visits_left: dict[CrashPoint, int] = {}


def parse(text: str) -> dict[CrashPoint, int]:
    """`name` or `name:n` as visits until the crash; nothing for an empty text. ValueError for anything else."""
    if not text:
        return {}
    name, _, visit = text.partition(":")
    visits = int(visit or 1)
    if visits < 1:
        raise ValueError(f"{text!r}: visits are counted from 1")
    return {CrashPoint(name): visits}


def arm(text: str) -> None:
    """Die at the place that `text` names; with an empty one, nowhere."""
    _visits_left.clear()
    _visits_left.update(parse(text))


def reach(point: CrashPoint) -> None:
    """This is the place: end the process as kill -9 would, without a word to anybody, if it is to die here."""
    if not _visits_left or point not in _visits_left:
        return
    _visits_left[point] -= 1
    if _visits_left[point] == 0:
        end()

"""The kill switch over everything that leaves the system. Engaging takes one call, re-arming two and a reason."""

import uuid
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from signals.models import LONGEST_NAME, LONGEST_REASON, KillSwitch, KillSwitchState
from signals.services.actions import record_action

logger = structlog.get_logger(__name__)

CONFIRM_WITHIN = timedelta(minutes=5)
NO_REQUEST = {"rearm_code": None, "rearm_reason": "", "rearm_requested_by": "", "rearm_expires_at": None}


class KillSwitchError(Exception):
    """The switch stays as it is; the text says why and what to do."""


def engage(*, reason: str, by: str, now: datetime, address: str = "") -> KillSwitch:
    """Nothing is sent from now on; a request to re-arm that waits is void. Works without a row, too."""
    switch = _tighten(KillSwitchState.ENGAGED, reason=reason, by=by, now=now, address=address)
    logger.error("sending stopped: nothing goes out", reason=switch.reason, by=by)
    return switch


def reduce_only(*, reason: str, by: str, now: datetime, address: str = "") -> KillSwitch:
    """Orders only reduce from now on, signals go on. KillSwitchError while the switch is engaged: that is stricter."""
    with transaction.atomic():
        switch = KillSwitch.objects.select_for_update().first()
        if switch is None or switch.state == KillSwitchState.ENGAGED:
            raise KillSwitchError("Sending is stopped, which is stricter: allow it again first.")
        switch = _tighten(KillSwitchState.REDUCING, reason=reason, by=by, now=now, address=address)
    logger.error("kill switch: orders only reduce", reason=switch.reason, by=by)
    return switch


def _tighten(state: KillSwitchState, *, reason: str, by: str, now: datetime, address: str) -> KillSwitch:
    before = state_words()
    switch, _ = KillSwitch.objects.update_or_create(
        id=1,
        defaults={
            "state": state,
            "reason": given(reason, cut=True),
            "changed_by": named(by),
            "changed_at": now,
            **NO_REQUEST,
        },
    )
    _record(f"kill_switch.{state.value}", switch, by=by, now=now, before=before, address=address)
    return switch


def request_rearm(*, reason: str, by: str, now: datetime, address: str = "") -> uuid.UUID:
    """The code with which `confirm_rearm` arms the switch within five minutes; an earlier request is void."""
    with transaction.atomic():
        switch = engaged_switch()
        switch.rearm_code = uuid.uuid4()
        switch.rearm_reason, switch.rearm_requested_by = given(reason), named(by)
        switch.rearm_expires_at = now + CONFIRM_WITHIN
        switch.save(update_fields=list(NO_REQUEST))
        _record("kill_switch.rearm_requested", switch, by=by, now=now, before=state_words(), address=address)
    return switch.rearm_code


def confirm_rearm(
    *, code: uuid.UUID | str, by: str, now: datetime, address: str = "", may_be_same: bool = True
) -> KillSwitch:
    """Arm the switch by the second confirmation; the code works once.

    may_be_same: whether nobody else could confirm it. At the terminal it is the machine's owner who asks.
    """
    with transaction.atomic():
        switch = engaged_switch()
        if not switch.rearm_is_open(now) or str(switch.rearm_code) != str(code):
            raise KillSwitchError("No open request to send again has this code: ask again.")
        if switch.rearm_requested_by == named(by) and not may_be_same:
            raise KillSwitchError("Another person must confirm what you asked for.")
        before = state_words()
        switch.state, switch.reason = KillSwitchState.ARMED, switch.rearm_reason
        switch.changed_by, switch.changed_at = named(by), now
        for field, nothing in NO_REQUEST.items():
            setattr(switch, field, nothing)
        switch.save()
        _record("kill_switch.armed", switch, by=by, now=now, before=before, address=address)
    logger.warning("sending on again", reason=switch.reason, by=by)
    return switch


def state_words() -> dict[str, str]:
    """How the switch is in the record of actions; empty without a row."""
    row = KillSwitch.objects.values("state", "reason").first()
    return {"state": row["state"], "reason": row["reason"]} if row else {}


def _record(
    what: str, switch: KillSwitch, *, by: str, now: datetime, before: dict[str, str], address: str
) -> None:
    record_action(
        actor=named(by),
        what=what,
        target="kill switch",
        before=before,
        after={"state": str(switch.state), "reason": switch.rearm_reason or switch.reason},
        address=address,
        now=now,
    )


def engaged_switch() -> KillSwitch:
    """The row, locked."""
    switch = KillSwitch.objects.select_for_update().first()
    if switch is None:
        raise KillSwitchError(
            "The kill switch's row is gone, so nothing is sent: stop the sending, then allow it again."
        )
    if switch.is_armed:
        raise KillSwitchError("Sending is on already.")
    return switch


def given(reason: str, *, cut: bool = False) -> str:
    """The reason as it is recorded; a long one may be cut, since an emergency does not wait for a shorter one."""
    reason = _recordable(reason)[: LONGEST_REASON if cut else None]
    if not reason or len(reason) > LONGEST_REASON:
        raise KillSwitchError(f"Say why, in at most {LONGEST_REASON} characters.")
    return reason


def named(by: str) -> str:
    """Whoever asks, as it is recorded; a long name is cut for the same reason."""
    by = _recordable(by)[:LONGEST_NAME]
    if not by:
        raise KillSwitchError("Say who asks.")
    return by


def _recordable(text: str) -> str:
    """Without what no database stores: NUL, and bytes of a command line that are no text."""
    return text.encode(errors="replace").decode().replace("\0", "").strip()

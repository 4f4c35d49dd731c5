"""Arming an account for live trading: asked for by one person, confirmed by another, for a day at most."""

from datetime import datetime, timedelta

from django.db import transaction

from autopilot.models import Account, LiveArming
from autopilot.models.live_account import LONGEST_ARMING
from signals.services.actions import record_action

CONFIRM_WITHIN = timedelta(minutes=15)


class ArmingError(Exception):
    """The account stays as it is; the text says why and what to do."""


def request_arming(
    *, account: Account, typed: str, reason: str, by: str, now: datetime, address: str = ""
) -> LiveArming:
    """Ask for it by typing the account's name; an older request is void."""
    if not account.is_live:
        raise ArmingError("A paper account is not armed.")
    if typed.strip() != account.name:
        raise ArmingError(f"Type the account's name exactly as it is: {account.name}")
    if not reason.strip():
        raise ArmingError("Say why: the reason goes on record.")
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=account.pk)
        if account.armings.in_force(now).exists():
            raise ArmingError("The account is armed already.")
        account.armings.filter(ended_at=None).update(ended_at=now, ended_by="replaced")
        arming = LiveArming.objects.create(
            account=account,
            reason=reason.strip()[:300],
            requested_by=by,
            requested_at=now,
            expires_at=now + CONFIRM_WITHIN,
        )
        _record("live.arming_requested", arming, by, now, address)
    return arming


def confirm_arming(
    *,
    arming: LiveArming,
    typed: str,
    by: str,
    may_be_same: bool,
    now: datetime,
    hours: int = 8,
    address: str = "",
) -> LiveArming:
    """may_be_same: whether nobody else could confirm it. `dangerous_acts` has asked for the second factor."""
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=arming.account_id)
        arming = LiveArming.objects.get(pk=arming.pk)
        if arming.confirmed_at or arming.ended_at or arming.expires_at <= now:
            raise ArmingError("This request is no longer open: ask again.")
        if arming.requested_by == by and not may_be_same:
            raise ArmingError("Another person must confirm what you asked for.")
        if typed.strip() != account.name:
            raise ArmingError(f"Type the account's name exactly as it is: {account.name}")
        lasts = timedelta(hours=hours)
        if not timedelta(0) < lasts <= LONGEST_ARMING:
            raise ArmingError("An account is armed for 1 to 24 hours.")
        arming.confirmed_by, arming.confirmed_at, arming.expires_at = by, now, now + lasts
        arming.save()
        _record("live.armed", arming, by, now, address)
    return arming


def disarm(*, account: Account, by: str, now: datetime, address: str = "") -> bool:
    """No new exposure from now on; whether it was armed or asked for."""
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=account.pk)
        arming = account.armings.filter(ended_at=None).first()
        if arming is None:
            return False
        arming.ended_at, arming.ended_by = now, by
        arming.save(update_fields=["ended_at", "ended_by"])
        _record("live.disarmed", arming, by, now, address)
    return True


def disarm_all(*, by: str, now: datetime) -> int:
    """A start of the executor returns every account to paper."""
    armed = LiveArming.objects.filter(ended_at=None, confirmed_at__isnull=False).select_related("account")
    return sum(disarm(account=each.account, by=by, now=now) for each in armed)


def _record(what: str, arming: LiveArming, by: str, now: datetime, address: str) -> None:
    record_action(
        actor=by,
        what=what,
        target=arming.account.name,
        now=now,
        address=address,
        after={"reason": arming.reason, "until": arming.expires_at.isoformat()},
    )

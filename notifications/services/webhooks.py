"""Events to integrators: written with what they tell of, released as late as the key's tier, settled one by one."""

import base64
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from notifications.models import (
    UNSETTLED,
    DeliveryKind,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookState,
)
from signals.models import Signal, SignalOutcome
from users.models import ApiKey

SECRET_MARK, SECRET_BYTES = "whsec_", 32
LEASE = timedelta(seconds=60)
# After the first attempt, the second and so on; then the event is dead.
WAITS = tuple(timedelta(seconds=each) for each in (10, 30, 120, 600, 1_800, 7_200, 21_600))
LONGEST_REASON = 300


class WebhookError(Exception):
    """Such an endpoint cannot be made; the text says what to do instead."""


def create_endpoint(
    *, name: str, api_key: ApiKey, url: str, kinds: Sequence[DeliveryKind], now: datetime
) -> WebhookEndpoint:
    """With a secret of its own, which whoever makes it passes on."""
    if not kinds:
        raise WebhookError("choose at least one kind of event")
    if not api_key.is_open(now):
        raise WebhookError(f"{api_key} has ended: take another key")
    return WebhookEndpoint.objects.create(
        name=name,
        api_key=api_key,
        url=url,
        kinds=[kind.value for kind in DeliveryKind if kind in kinds],
        secret=SECRET_MARK + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
        created_at=now,
    )


def announce_signal(*, signal: Signal) -> list[int]:
    """Events of a signal, in the transaction that publishes it; the endpoints that are told at once."""
    return _write(DeliveryKind.SIGNAL, signal, signal.published_at)


def announce_outcomes(*, signal_ids: Sequence[int]) -> list[int]:
    """Events of what became of signals; who was never told of the signal is not told of its end."""
    at_once: set[int] = set()
    for outcome in SignalOutcome.objects.filter(signal__in=signal_ids).select_related("signal"):
        at_once.update(_write(DeliveryKind.OUTCOME, outcome.signal, outcome.recorded_at))
    return sorted(at_once)


def _write(kind: DeliveryKind, signal: Signal, moment: datetime) -> list[int]:
    rows = []
    for endpoint in listening(kind, moment):
        tier = endpoint.api_key.tier
        if tier is not None and signal.experimental and not tier.experimental:
            continue
        due_at = moment + timedelta(seconds=tier.delay_seconds if tier else 0)
        rows.append(
            WebhookDelivery(
                endpoint=endpoint, signal=signal, kind=kind.value, due_at=due_at, next_attempt_at=due_at
            )
        )
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return sorted({row.endpoint_id for row in rows if row.due_at <= moment})


def listening(kind: DeliveryKind, moment: datetime) -> QuerySet[WebhookEndpoint]:
    active = WebhookEndpoint.objects.filter(is_active=True, kinds__contains=[kind.value])
    open_keys = ApiKey.objects.open(moment)
    return active.filter(api_key__in=open_keys).select_related("api_key__tier")


def endpoints_with_work(*, now: datetime) -> list[int]:
    """One that is being asked at this moment is left to whoever does."""
    asked = WebhookDelivery.objects.filter(state=WebhookState.SENDING, lease_until__gte=now)
    due = _due(now).exclude(endpoint__in=asked.values("endpoint_id"))
    return sorted(set(due.values_list("endpoint_id", flat=True)))


def claim_event(*, endpoint_id: int, now: datetime) -> WebhookDelivery | None:
    """The next event of an endpoint, under a lease; None where nothing is due."""
    with transaction.atomic():
        due = _due(now).filter(endpoint=endpoint_id).order_by("due_at", "id")
        row = due.select_for_update(skip_locked=True, of=("self",)).first()
        if row is None:
            return None
        row.state, row.attempt_id = WebhookState.SENDING, uuid.uuid4()
        row.lease_until, row.attempts = now + LEASE, row.attempts + 1
        row.save(update_fields=["state", "attempt_id", "lease_until", "attempts"])
    return row


def _due(now: datetime) -> QuerySet[WebhookDelivery]:
    """Of one signal in order: an outcome waits for its signal, however often that is tried."""
    before = WebhookDelivery.objects.filter(
        endpoint=OuterRef("endpoint"),
        signal=OuterRef("signal"),
        kind=DeliveryKind.SIGNAL.value,
        state__in=UNSETTLED,
    )
    waiting = Q(state__in=[WebhookState.PENDING, WebhookState.RETRY], next_attempt_at__lte=now)
    abandoned = Q(state=WebhookState.SENDING, lease_until__lt=now)
    in_order = Q(kind=DeliveryKind.SIGNAL.value) | ~Exists(before)
    return WebhookDelivery.objects.filter(
        waiting | abandoned, in_order, due_at__lte=now, endpoint__is_active=True
    )


def settle_sent(*, event: WebhookDelivery, status: int, now: datetime) -> bool:
    return _settle(event, state=WebhookState.SENT, reason="", last_status=status, sent_at=now)


def settle_failed(*, event: WebhookDelivery, reason: str, status: int | None, now: datetime) -> bool:
    """Tried again later, or dead after the last attempt."""
    if event.attempts > len(WAITS):
        reason = f"{reason}; given up after {event.attempts} attempts"
        return settle_dead(event=event, reason=reason, status=status)
    wait = WAITS[event.attempts - 1]
    return _settle(
        event, state=WebhookState.RETRY, reason=reason, last_status=status, next_attempt_at=now + wait
    )


def settle_dead(*, event: WebhookDelivery, reason: str, status: int | None = None) -> bool:
    return _settle(event, state=WebhookState.DEAD, reason=reason, last_status=status)


def revive(*, event: WebhookDelivery, now: datetime) -> bool:
    """A dead event is tried once more from the beginning."""
    dead = WebhookDelivery.objects.filter(pk=event.pk, state=WebhookState.DEAD)
    return bool(
        dead.update(state=WebhookState.RETRY, attempts=0, next_attempt_at=now, reason="tried again by hand")
    )


def _settle(event: WebhookDelivery, *, state: WebhookState, reason: str, **values: object) -> bool:
    """Whether it was still ours: another worker may have taken it over since."""
    ours = WebhookDelivery.objects.filter(
        pk=event.pk, attempt_id=event.attempt_id, state=WebhookState.SENDING
    )
    return bool(
        ours.update(state=state, reason=reason[:LONGEST_REASON], attempt_id=None, lease_until=None, **values)
    )

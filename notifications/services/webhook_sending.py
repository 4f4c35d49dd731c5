"""One endpoint's due events, one after the other, signed as Standard Webhooks describes it."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings

from notifications.clients.address import AddressRefusedError
from notifications.clients.webhook import WebhookFailedError, post_webhook
from notifications.models import DeliveryKind, WebhookDelivery
from notifications.services.webhooks import SECRET_MARK, claim_event, settle_dead, settle_failed, settle_sent
from signals.models import Signal, SignalOutcome
from signals.selectors import sending_allowed
from users.models import ApiKey

# A task has a minute; the last call may take ten seconds.
WORKS_FOR = timedelta(seconds=40)
TYPES = {DeliveryKind.SIGNAL.value: "signal.published", DeliveryKind.OUTCOME.value: "signal.ended"}
OUTCOME_FIELDS = (
    "exit_reason", "entered_at", "exited_at", "entry_price", "exit_price", "return_ratio", "r_multiple", "best_r",
    "worst_r", "bars_held", "is_ambiguous", "recorded_at",
)  # fmt: skip
SIGNAL_FIELDS = (
    "timeframe", "source", "strategy", "direction", "confidence", "entry_price", "stop_loss", "take_profit", "reasons",
    "experimental", "sessions", "candle_open_time", "published_at", "expires_at",
)  # fmt: skip


def send_due(*, endpoint_id: int, clock: Callable[[], datetime]) -> int:
    """How many arrived. It stops at the first that does not: an endpoint that is down is not asked for each event."""
    ends_at, sent = clock() + WORKS_FOR, 0
    while clock() < ends_at and sending_allowed():
        event = claim_event(endpoint_id=endpoint_id, now=clock())
        if event is None or not send_one(event=event, clock=clock):
            break
        sent += 1
    return sent


def send_one(*, event: WebhookDelivery, clock: Callable[[], datetime]) -> bool:
    """Whether the receiver said yes."""
    endpoint = event.endpoint
    if not may_still_hear(endpoint.api_key, clock()):
        settle_dead(event=event, reason="its API key has ended")
        return False
    body = event_body(event)
    try:
        status = asyncio.run(
            post_webhook(
                url=endpoint.url,
                body=body,
                headers=signed_headers(event, body, now=clock()),
                loopback=settings.SANDBOX,
            )
        )
    except AddressRefusedError as error:
        settle_dead(event=event, reason=str(error))
        return False
    except WebhookFailedError as error:
        settle_failed(event=event, reason=str(error), status=error.status, now=clock())
        return False
    return settle_sent(event=event, status=status, now=clock())


def may_still_hear(key: ApiKey, now: datetime) -> bool:
    from users.adapters import may_log_in  # noqa: PLC0415  (allauth, which only this worker needs)

    user = key.user
    return key.is_open(now) and user.is_active and user.is_staff and may_log_in(user)


def event_body(event: WebhookDelivery) -> bytes:
    """The same bytes in every attempt."""
    signal = Signal.objects.with_instrument().get(pk=event.signal_id)
    named = {
        "symbol": signal.instrument.symbol,
        "exchange_id": signal.instrument.exchange_id,
        "is_simulated": signal.instrument.exchange.is_simulated,
    }
    if event.kind == DeliveryKind.SIGNAL:
        facts = {"id": signal.public_id, **named} | {name: getattr(signal, name) for name in SIGNAL_FIELDS}
    else:
        outcome = SignalOutcome.objects.get(signal=signal)
        facts = {"signal_id": signal.public_id, **named}
        facts |= {name: getattr(outcome, name) for name in OUTCOME_FIELDS}
    told: dict[str, Any] = {"id": event.event_id, "type": TYPES[event.kind], "data": facts}
    return orjson.dumps(told)


def signed_headers(event: WebhookDelivery, body: bytes, *, now: datetime) -> dict[str, str]:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, under the bytes of the secret."""
    name, timestamp = str(event.event_id), str(int(now.timestamp()))
    signed = f"{name}.{timestamp}.".encode() + body
    key = base64.b64decode(event.endpoint.secret.removeprefix(SECRET_MARK))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "CoPilot-Webhooks/1",
        "Webhook-Id": name,
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": f"v1,{base64.b64encode(digest).decode()}",
    }

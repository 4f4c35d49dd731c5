"""Each event once, in order per signal, as late as the tier: however the receiver behaves."""

import base64
import hashlib
import hmac
import html
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiohttp
import pytest
from django.test import Client
from pytest_django import Settings

from notifications.clients import webhook
from notifications.clients.address import AddressRefusedError, require_allowed, require_allowed_url
from notifications.models import DeliveryKind, WebhookDelivery, WebhookEndpoint
from notifications.services.webhook_sending import send_due
from notifications.services.webhooks import (
    WAITS,
    announce_outcomes,
    announce_signal,
    claim_event,
    create_endpoint,
    endpoints_with_work,
    revive,
    settle_sent,
)
from signals.models import Signal
from signals.services.kill_switch import engage
from tests.notifications.rows import make_outcome, make_signal, make_tier
from users.engine.api_key import ApiScope
from users.models import Tier, User
from users.services import create_api_key, revoke_api_key

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LIST = "/admin/notifications/webhookendpoint/"
BOTH = (DeliveryKind.SIGNAL, DeliveryKind.OUTCOME)


class Receiver:
    """An integrator's server; `answers` are used up, then it says 200. 0: no answer in time."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.accepted: list[dict[str, Any]] = []
        self.freed = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.answers.pop(0) if receiver.answers else 200
                receiver.calls.append((dict(self.headers), body))
                if not status:
                    receiver.freed.wait(10)
                    return
                if status == 200:
                    receiver.accepted.append(json.loads(body))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.freed.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    settings.SANDBOX = True
    monkeypatch.setattr(webhook, "TIMEOUT", aiohttp.ClientTimeout(total=0.3))
    server = Receiver()
    yield server
    server.close()


def endpoint(url: str, tier: Tier | None = None, kinds: tuple[DeliveryKind, ...] = BOTH) -> WebhookEndpoint:
    boss = User.objects.filter(username="boss").first() or User.objects.create_superuser(
        "boss", "boss@example.com", "a-password-1"
    )
    key, _ = create_api_key(user=boss, name="robot", scopes=[ApiScope.READ], tier=tier, now=NOW)
    return create_endpoint(name="robot", api_key=key, url=url, kinds=kinds, now=NOW)


def published(**values: Any) -> Signal:
    signal = make_signal(published_at=NOW, **values)
    announce_signal(signal=signal)
    return signal


def ended(signal: Signal, minutes: int = 60) -> None:
    make_outcome(signal=signal, recorded_at=NOW + timedelta(minutes=minutes))
    announce_outcomes(signal_ids=[signal.pk])


def send(target: WebhookEndpoint, after: timedelta = timedelta()) -> int:
    return send_due(endpoint_id=target.pk, clock=lambda: NOW + after)


def states() -> list[tuple[str, str]]:
    return list(WebhookDelivery.objects.order_by("id").values_list("kind", "state"))


def test_event_is_signed_over_its_id_its_time_and_its_bytes(receiver: Receiver) -> None:
    target, signal = endpoint(receiver.url), published()

    assert send(target) == 1

    [(headers, body)] = receiver.calls
    event = WebhookDelivery.objects.get()
    assert headers["Webhook-Id"] == str(event.event_id)
    assert headers["Webhook-Timestamp"] == str(int(NOW.timestamp()))
    signed = f"{event.event_id}.{headers['Webhook-Timestamp']}.".encode() + body
    key = base64.b64decode(target.secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["Webhook-Signature"] == f"v1,{expected}"
    told = json.loads(body)
    assert (told["type"], told["data"]["id"]) == ("signal.published", str(signal.public_id))
    assert (told["data"]["symbol"], told["data"]["entry_price"]) == (signal.instrument.symbol, 100.0)
    assert (event.state, event.last_status, event.sent_at) == ("sent", 200, NOW)


def test_receiver_that_hangs_breaks_and_comes_back_has_each_event_once_in_order(receiver: Receiver) -> None:
    target, signal = endpoint(receiver.url), published()
    ended(signal, minutes=0)
    receiver.answers = [0, 500, 503]

    passed = timedelta()
    for wait in (timedelta(), *WAITS[:3], timedelta()):
        passed += wait
        send(target, passed)
        send(target, passed)

    assert [told["type"] for told in receiver.accepted] == ["signal.published", "signal.ended"]
    first_four = {headers["Webhook-Id"] for headers, _ in receiver.calls[:4]}
    assert len(first_four) == 1, "a repeat names itself as the same event"
    assert len({body for _, body in receiver.calls[:4]}) == 1
    assert len(receiver.calls) == 5
    assert states() == [("signal", "sent"), ("outcome", "sent")]


def test_event_is_given_up_in_the_end_and_shown_and_tried_again_by_hand(receiver: Receiver) -> None:
    target = endpoint(receiver.url)
    published()
    receiver.answers = [500] * (len(WAITS) + 1)
    passed = timedelta()
    for wait in (timedelta(), *WAITS):
        passed += wait
        send(target, passed)

    event = WebhookDelivery.objects.get()
    assert (event.state, event.reason) == ("dead", f"HTTP 500; given up after {len(WAITS) + 1} attempts")
    assert endpoints_with_work(now=NOW + timedelta(days=30)) == []
    assert revive(event=event, now=NOW)
    assert send(target) == 1


def test_redirect_is_not_followed(receiver: Receiver) -> None:
    target = endpoint(receiver.url)
    published()
    receiver.answers = [302]

    send(target)

    assert len(receiver.calls) == 1
    assert WebhookDelivery.objects.get().reason == "HTTP 302"


def test_no_tier_is_told_early_or_what_it_does_not_have(receiver: Receiver) -> None:
    free = endpoint(receiver.url, make_tier(delay_seconds=900))
    signal = published()
    published(experimental=True)
    ended(signal, minutes=10)

    moment = timedelta(microseconds=1)
    assert send(free, timedelta(minutes=15) - moment) == 0
    assert send(free, timedelta(minutes=15)) == 1
    assert send(free, timedelta(minutes=25) - moment) == 0
    assert send(free, timedelta(minutes=25)) == 1
    assert [told["type"] for told in receiver.accepted] == ["signal.published", "signal.ended"]


def test_nothing_is_sent_while_the_switch_is_engaged_or_after_the_key_ended(receiver: Receiver) -> None:
    target = endpoint(receiver.url)
    published()
    revoke_api_key(key=target.api_key, now=NOW)
    assert announce_signal(signal=make_signal(published_at=NOW)) == []
    send(target)
    assert (WebhookDelivery.objects.get().state, receiver.calls) == ("dead", [])

    other = endpoint(receiver.url)
    published()
    engage(reason="test", by="boss", now=NOW)
    assert send(other) == 0
    assert receiver.calls == []


def test_worker_that_died_is_succeeded_after_its_lease_and_then_changes_nothing() -> None:
    target = endpoint("https://example.com")
    published()
    dead = claim_event(endpoint_id=target.pk, now=NOW)
    assert dead is not None
    assert claim_event(endpoint_id=target.pk, now=NOW) is None
    assert endpoints_with_work(now=NOW) == []

    later = NOW + timedelta(minutes=2)
    assert endpoints_with_work(now=later) == [target.pk]
    heir = claim_event(endpoint_id=target.pk, now=later)

    assert heir is not None
    assert not settle_sent(event=dead, status=200, now=later)
    assert settle_sent(event=heir, status=200, now=later)


def test_outcome_waits_for_its_signal_and_one_kind_alone_needs_not(receiver: Receiver) -> None:
    both, ends = endpoint(receiver.url), endpoint(receiver.url, kinds=(DeliveryKind.OUTCOME,))
    signal = published()
    WebhookDelivery.objects.update(next_attempt_at=NOW + timedelta(days=1))
    ended(signal, minutes=0)

    assert (send(both), send(ends)) == (0, 1)


@pytest.mark.parametrize(
    ("url", "loopback", "allowed"),
    [
        ("https://example.com/hook", False, True),
        ("http://example.com/hook", False, False),
        ("http://127.0.0.1:9/", True, True),
        ("https://127.0.0.1/", False, False),
        ("https://10.0.0.1/", True, False),
        ("https://169.254.169.254/", True, False),
        ("https://[::ffff:10.0.0.1]/", True, False),
        ("https://[64:ff9b::a00:1]/", False, False),
        ("https://[2002:a00:1::]/", False, False),
        ("https://user:word@example.com/", False, False),
        ("ftp://example.com/", True, False),
        ("https://", False, False),
        ("https://example.com:99999/", False, False),
    ],
)
def test_address_is_everybodys_or_in_the_sandbox_our_own(url: str, loopback: bool, allowed: bool) -> None:
    if allowed:
        require_allowed_url(url, loopback=loopback)
        return
    with pytest.raises(AddressRefusedError):
        require_allowed_url(url, loopback=loopback)


def test_name_that_leads_inside_is_refused_where_it_is_connected(settings: Settings) -> None:
    settings.SANDBOX = False
    target = endpoint("https://localhost/hook")
    published()

    assert send(target) == 0

    event = WebhookDelivery.objects.get()
    assert (event.state, event.reason) == ("dead", "this machine's own addresses are for the sandbox")
    with pytest.raises(AddressRefusedError):
        require_allowed("0.0.0.0", loopback=True)


def test_webhook_is_made_in_the_console_and_its_secret_shown_once(
    admin_client: Client, settings: Settings
) -> None:
    settings.SANDBOX = False
    key = endpoint("https://example.com").api_key
    form = {"name": "desk", "api_key": key.pk, "url": "https://example.com/hook", "kinds": ["signal"]}
    refused = admin_client.post(f"{LIST}add/", form | {"url": "http://10.0.0.1/"}).content.decode()
    assert "only https is spoken" in refused

    made = admin_client.post(f"{LIST}add/", form | {"is_active": "on"}).content.decode()

    row = WebhookEndpoint.objects.get(name="desk")
    assert row.secret in html.unescape(made)
    for page in (LIST, f"{LIST}{row.pk}/change/", "/admin/notifications/webhookdelivery/"):
        answer = admin_client.get(page)
        assert answer.status_code == 200
        assert row.secret not in html.unescape(answer.content.decode())

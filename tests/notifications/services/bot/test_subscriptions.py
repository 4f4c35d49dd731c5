"""Invitations, Stars, reminders and grace."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from notifications import views
from notifications.clients.telegram_call import Failure, TelegramError
from notifications.models import Notice, StarsPayment
from notifications.services import notices, stars
from notifications.services.fan_out import fan_out
from notifications.services.reply import AnswerReply, Invoice
from tests.notifications.chat import receive
from tests.notifications.rows import make_signal, make_subscriber, make_tier
from tests.notifications.services.bot.conversation import NOW, Conversation
from users.models import Subscriber, Tier
from users.selectors import changes_of
from users.services import create_invitation, revoke_invitation

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def selling(settings: Settings) -> None:
    settings.TELEGRAM_STARS = True
    settings.TELEGRAM_WEBHOOK_SECRET = "s" * 20


def invite(**values: Any) -> str:
    defaults = {
        "name": "fair",
        "tier": make_tier(),
        "most_uses": 2,
        "expires_at": NOW + timedelta(days=1),
        "by": "boss",
    }
    return create_invitation(**defaults | values)[1]


# --- invitations


def test_invitation_makes_subscribers_as_often_as_it_may() -> None:
    code = invite(days=14, is_trial=True)
    for chat_id in (101, 102):
        chat = Conversation(chat_id=chat_id, language="de")
        chat.write(f"/start {code}")
        assert chat.outcome == "linked"
    late = Conversation(chat_id=103)
    late.write(f"/start {code}")
    assert late.outcome == "not linked: used_up"
    first = Subscriber.objects.get(chat_id=101)
    assert (first.display_name, first.is_trial, first.language) == ("Ada", True, "de")
    assert first.subscription_ends_at == NOW + timedelta(days=14)


def test_linked_chat_uses_up_no_invitation() -> None:
    make_subscriber(chat_id=77)
    code = invite(most_uses=1)
    chat = Conversation()
    chat.write(f"/start {code}")
    assert chat.outcome == "not linked: chat_taken"
    other = Conversation(chat_id=78)
    other.write(f"/start {code}")
    assert other.outcome == "linked"


def test_invitation_that_is_over_or_revoked_lets_nobody_in() -> None:
    over = invite(expires_at=NOW)
    revoked, code = create_invitation(
        name="x", tier=make_tier(), most_uses=1, expires_at=NOW + timedelta(days=1), by="boss"
    )
    revoke_invitation(invitation=revoked, now=NOW)
    for each in (over, code):
        chat = Conversation()
        chat.write(f"/start {each}")
        assert chat.outcome == "not linked: invitation_over"
    assert not Subscriber.objects.filter(chat_id=77).exists()


# --- begin, end, grace, reminders


def test_subscription_begins_and_ends_with_grace_unless_it_is_a_trial() -> None:
    tier = make_tier(grace_days=2)
    person = make_subscriber(
        tier=tier, subscription_starts_at=NOW, subscription_ends_at=NOW + timedelta(days=10)
    )

    def gets(moment_days: float) -> bool:
        return fan_out(signal=make_signal(published_at=NOW + timedelta(days=moment_days))) == 1

    assert [gets(days) for days in (-0.1, 0, 9.9, 11.9, 12)] == [False, True, True, True, False]
    assert not person.has_ended(NOW + timedelta(days=11))
    assert Subscriber.objects.subscribed(NOW + timedelta(days=11)).count() == 1
    Subscriber.objects.update(is_trial=True)
    assert [gets(days) for days in (9.8, 10.1)] == [True, False]
    assert Subscriber.objects.subscribed(NOW + timedelta(days=11)).count() == 0


def write_and_claim(moment_days: float) -> list[str]:
    now = NOW + timedelta(days=moment_days)
    notices.write_notices(now=now)
    kinds = []
    while notice := notices.claim_notice(now=now):
        kinds.append(notice.kind)
        assert notices.message_of(notice).html
        notices.record_notice(notice=notice, error=None, now=now)
    return kinds


def test_reminders_come_once_each_and_are_accounted_for() -> None:
    make_subscriber(tier=make_tier(grace_days=2), subscription_ends_at=NOW + timedelta(days=10))
    told = {days: write_and_claim(days) for days in (6.9, 7, 7.1, 9, 9.5, 10, 11, 12, 12.5, 14)}
    assert {days: kinds for days, kinds in told.items() if kinds} == {
        7: ["ends_3"],
        9: ["ends_1"],
        10: ["grace"],
        12: ["ended"],
    }
    assert set(Notice.objects.values_list("state", flat=True)) == {"sent"}


def test_reminder_of_an_end_that_has_moved_is_not_sent() -> None:
    make_subscriber(subscription_ends_at=NOW + timedelta(days=3))
    notices.write_notices(now=NOW)
    Subscriber.objects.update(subscription_ends_at=NOW + timedelta(days=30))
    assert notices.claim_notice(now=NOW) is None
    assert Notice.objects.get().state == "dead"


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (Failure.AMBIGUOUS, "unknown"),
        (Failure.NOT_SENT, "retry"),
        (Failure.CHAT_GONE, "dead"),
        (Failure.REFUSED, "dead"),
    ],
)
def test_reminder_of_unknown_fate_is_never_repeated(failure: Failure, state: str) -> None:
    person = make_subscriber(subscription_ends_at=NOW + timedelta(days=3))
    notices.write_notices(now=NOW)
    notice = notices.claim_notice(now=NOW)
    assert notice is not None
    notices.record_notice(notice=notice, error=TelegramError("as if", failure), now=NOW)
    assert Notice.objects.get().state == state
    person.refresh_from_db()
    assert bool(person.unreachable_reason) == (failure is Failure.CHAT_GONE)


def test_reminder_whose_worker_died_is_of_unknown_fate() -> None:
    make_subscriber(subscription_ends_at=NOW + timedelta(days=3))
    notices.write_notices(now=NOW)
    assert notices.claim_notice(now=NOW) is not None
    assert notices.claim_notice(now=NOW + timedelta(minutes=3)) is None
    assert Notice.objects.get().state == "unknown"


# --- Stars


@pytest.fixture
def gold() -> Tier:
    return make_tier(code="gold", name="Gold", stars_price=500, stars_days=30)


@pytest.fixture
def payload(gold: Tier) -> str:
    make_subscriber(chat_id=77)
    chat = Conversation()
    chat.write("/tier")
    chat.press_text("Gold: 30 days for 500 ⭐")
    assert isinstance(chat.reply, AnswerReply)
    invoice = chat.reply.followed_by
    assert isinstance(invoice, Invoice)
    assert invoice.stars == 500
    return invoice.payload


def checkout(client: Client, payload: str, **values: Any) -> Any:
    query = {
        "id": "42",
        "from": {"id": 77, "is_bot": False, "first_name": "A"},
        "currency": "XTR",
        "total_amount": 500,
        "invoice_payload": payload,
    }
    body = json.dumps({"update_id": 9, "pre_checkout_query": query | values})
    headers = {views.SECRET_HEADER: "s" * 20}
    return client.post("/telegram/webhook", body, content_type="application/json", headers=headers)


def test_question_before_a_payment_is_answered_at_once_from_one_read(client: Client, payload: str) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = checkout(client, payload)
    assert answer.json() == {"method": "answerPreCheckoutQuery", "pre_checkout_query_id": "42", "ok": True}
    assert len(queries) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"total_amount": 1},
        {"currency": "EUR"},
        {"invoice_payload": "nonsense"},
        {"invoice_payload": "a:b:c:d"},
        {"from": {"id": 78, "is_bot": False, "first_name": "B"}},
    ],
)
def test_payment_that_does_not_fit_is_not_let_through(
    client: Client, payload: str, change: dict[str, Any]
) -> None:
    answer = checkout(client, payload, **change).json()
    assert answer["ok"] is False
    assert answer["error_message"]


def test_price_that_has_changed_archive_and_switch_are_looked_at(
    client: Client, payload: str, settings: Settings
) -> None:
    Tier.objects.filter(code="gold").update(stars_price=600)
    assert checkout(client, payload).json()["ok"] is False
    Tier.objects.filter(code="gold").update(stars_price=500)
    Subscriber.objects.update(status="archived")
    assert checkout(client, payload).json()["ok"] is False
    Subscriber.objects.update(status="active")
    settings.TELEGRAM_STARS = False
    assert checkout(client, payload).json()["ok"] is False


def pays(payload: str, charge_id: str = "c1", kind: str = "successful_payment", stars: int = 500) -> str:
    payment = {
        "currency": "XTR",
        "total_amount": stars,
        "invoice_payload": payload,
        "telegram_payment_charge_id": charge_id,
        "provider_payment_charge_id": "",
    }
    sender = {"id": 77, "is_bot": False, "first_name": "A"}
    message = {"message_id": 1, "from": sender, "chat": {"id": 77, "type": "private"}, kind: payment}
    return receive({"message": message}, NOW)[1].removesuffix("; reply unknown")


def test_payment_counts_once_and_its_refund_once(payload: str) -> None:
    assert [pays(payload), pays(payload)] == ["paid", "paid already"]
    person = Subscriber.objects.select_related("tier").get(chat_id=77)
    assert (person.tier.code, person.subscription_ends_at) == ("gold", NOW + timedelta(days=30))
    assert pays(payload, "c2") == "paid"
    person.refresh_from_db()
    assert person.subscription_ends_at == NOW + timedelta(days=60)
    payment = StarsPayment.objects.get(telegram_payment_charge_id="c2")
    assert stars.ask_refund(payment=payment, by="boss", now=NOW)
    assert stars.waiting_refunds() == [payment]
    assert stars.record_refund(charge_id="c2", now=NOW)
    assert pays(payload, "c2", "refunded_payment") == "refunded already"
    assert not stars.ask_refund(payment=payment, by="boss", now=NOW)
    person.refresh_from_db()
    assert person.subscription_ends_at == NOW + timedelta(days=30)
    assert "refund of 500 Stars" in {change.why for change in changes_of(person)}


def test_refund_that_telegram_tells_of_itself_counts(payload: str) -> None:
    pays(payload)
    assert pays(payload, kind="refunded_payment") == "refunded"
    assert StarsPayment.objects.get().refunded_at == NOW


def test_payment_for_nothing_of_ours_is_kept_for_a_refund(payload: str) -> None:
    assert pays("nonsense", "c9") == "paid, but for nothing of ours"
    assert pays(payload, "c8", stars=1) == "paid, but for nothing of ours"
    assert StarsPayment.objects.exclude(note="").count() == 2
    assert Subscriber.objects.get(chat_id=77).subscription_ends_at is None


def test_nothing_is_sold_where_stars_are_switched_off(gold: Tier, settings: Settings) -> None:
    settings.TELEGRAM_STARS = False
    make_subscriber(chat_id=77)
    chat = Conversation()
    chat.write("/tier")
    assert chat.buttons == []
    chat.press("b:gold")
    assert chat.outcome == "not sold"

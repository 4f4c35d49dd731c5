"""A payment in Telegram Stars from invoice to refund: the sandbox as a process, web behind its webhook."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications import views
from notifications.models import StarsPayment, TelegramUpdate
from notifications.services import stars, worker_calls
from notifications.tasks import refund_payments
from tests.notifications.bot_worker import work_off
from tests.notifications.rows import Controls, make_subscriber, make_tier, wait_for
from users.models import Subscriber, Tier

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "secret-of-the-webhook"
MONTH = timedelta(days=30)
PAID_BEFORE = timezone.now() + 3 * MONTH  # so that a refund that counts twice would show


class Buyer:
    """Somebody with a phone. Whatever they do reaches us as Telegram would bring it."""

    def __init__(self, telegram: Controls, person: Subscriber) -> None:
        self.telegram, self.path, self.pk = telegram, f"/chats/{person.chat_id}", person.pk

    def does(self, path: str, body: dict[str, Any]) -> Any:
        """And the bot has answered."""
        known = TelegramUpdate.objects.count()
        answer = self.telegram.post(self.path + path, body)
        wait_for(lambda: TelegramUpdate.objects.count() > known)
        work_off()
        return answer

    def messages(self) -> list[dict[str, Any]]:
        return self.telegram.get(self.path)["messages"]  # type: ignore[no-any-return]

    def asks_for_the_invoice(self) -> int:
        """The id of its message."""
        self.does("/messages", {"text": "/tier"})
        offer = self.messages()[-1]
        [[button]] = offer["reply_markup"]["inline_keyboard"]
        self.does("/callbacks", {"message_id": offer["message_id"], "data": button["callback_data"]})
        return int(self.messages()[-1]["message_id"])

    def row(self) -> Subscriber:
        return Subscriber.objects.select_related("tier").get(pk=self.pk)


@pytest.fixture
def buyer(telegram: Controls, live_server: LiveServer, settings: Settings) -> Iterator[Buyer]:
    settings.TELEGRAM_API_URL, settings.TELEGRAM_BOT_TOKEN = telegram.url, DEFAULT_TOKEN
    settings.TELEGRAM_WEBHOOK_SECRET, settings.TELEGRAM_STARS = SECRET, True
    gold = make_tier(code="gold", name="Gold", stars_price=500, stars_days=30)
    person = make_subscriber(tier=gold, subscription_ends_at=PAID_BEFORE)
    telegram.open_chats(person)
    call_command("set_webhook", "--url", f"{live_server.url}/telegram/webhook")
    telegram.post("/limits", {"enabled": False})
    yield Buyer(telegram, person)
    telegram.post("/limits", {"enabled": True})


def test_payment_its_duplicate_and_its_refund_count_once(
    telegram: Controls, live_server: LiveServer, buyer: Buyer
) -> None:
    invoice = buyer.asks_for_the_invoice()
    assert buyer.messages()[-1]["invoice"]["total_amount"] == 500

    answer = buyer.does("/pay", {"message_id": invoice})
    assert answer["paid"], "the webhook's own response let it through"
    ends_at = buyer.row().subscription_ends_at
    assert ends_at == PAID_BEFORE + MONTH
    said = len(buyer.messages())

    paid = TelegramUpdate.objects.get(outcome="paid; replied")
    for update_id in (
        paid.update_id,
        paid.update_id + 1000,
    ):  # the same update again, and the charge in another
        response = httpx.post(
            f"{live_server.url}/telegram/webhook",
            json=paid.payload | {"update_id": update_id},
            headers={views.SECRET_HEADER: SECRET},
        )
        assert response.status_code == 200
        work_off()
    assert TelegramUpdate.objects.get(pk=paid.update_id + 1000).outcome == "paid already"
    assert buyer.row().subscription_ends_at == ends_at
    assert len(buyer.messages()) == said

    payment = StarsPayment.objects.get(telegram_payment_charge_id=answer["charge"])
    assert stars.ask_refund(payment=payment, by="boss", now=timezone.now())
    # A worker that dies after Telegram has given the Stars back: the next one finds them refunded.
    assert asyncio.run(worker_calls.refund(payment)) is None
    refund_payments()
    payment.refresh_from_db()
    assert (payment.refunded_at is not None, payment.refund_error) == (True, "")
    assert buyer.row().subscription_ends_at == PAID_BEFORE
    wait_for(lambda: work_off() or TelegramUpdate.objects.filter(outcome="refunded already").exists())
    refund_payments()
    wait_for(lambda: not work_off() and TelegramUpdate.objects.filter(outcome="refunded already").exists())
    assert buyer.row().subscription_ends_at == PAID_BEFORE
    assert not stars.ask_refund(payment=payment, by="boss", now=timezone.now())
    assert [m["refunded_payment"] for m in buyer.messages() if "refunded_payment" in m] != []


def test_invoice_whose_price_has_changed_is_not_paid(telegram: Controls, buyer: Buyer) -> None:
    invoice = buyer.asks_for_the_invoice()
    Tier.objects.filter(code="gold").update(stars_price=600)
    answer = telegram.post(buyer.path + "/pay", {"message_id": invoice})
    assert answer["paid"] is False
    assert "price has changed" in answer["problem"]
    assert not StarsPayment.objects.exists()
    assert buyer.row().subscription_ends_at == PAID_BEFORE

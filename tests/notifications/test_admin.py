"""The pages of deliveries as an admin sees them."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from notifications.models import Delivery, Feedback, SenderState, SignalPicture, TelegramUpdate
from notifications.services.fan_out import fan_out
from signals.models import Signal
from tests.notifications.rows import make_outcome, make_signal, make_subscriber, make_tier
from users.models import Subscriber, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def signal() -> Signal:
    make_subscriber(display_name="Ada <b>")
    signal = make_signal()
    fan_out(signal=signal)
    delivery = Delivery.objects.get()
    Feedback.objects.create(delivery=delivery, answer="acted", answered_at=signal.published_at)
    TelegramUpdate.objects.create(update_id=7, payload={}, received_at=signal.published_at)
    SenderState.objects.create()
    return signal


@pytest.mark.parametrize("model", ["delivery", "feedback", "telegramupdate", "senderstate"])
def test_each_list_and_row_opens_and_cannot_be_edited(
    admin_client: Client, signal: Signal, model: str
) -> None:
    listed = admin_client.get(f"/admin/notifications/{model}/")
    assert listed.status_code == 200
    pk = {"telegramupdate": 7, "senderstate": 1}.get(model) or Delivery.objects.get().pk
    if model == "feedback":
        pk = Feedback.objects.get().pk
    assert admin_client.get(f"/admin/notifications/{model}/{pk}/change/").status_code == 200
    assert admin_client.post(f"/admin/notifications/{model}/{pk}/change/", {}).status_code == 403


def test_feedback_names_its_signal_and_asks_no_more_for_more_rows(
    admin_client: Client, signal: Signal, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    link = f'<a href="/admin/signals/signal/{signal.pk}/change/">{signal.instrument} long'
    assert link in admin_client.get("/admin/notifications/feedback/").content.decode()
    with CaptureQueriesContext(connection) as of_one:
        admin_client.get("/admin/notifications/feedback/")
    for _ in range(3):
        make_subscriber()
    later = make_signal()
    fan_out(signal=later)
    for delivery in Delivery.objects.filter(signal=later):
        Feedback.objects.create(delivery=delivery, answer="ignored", answered_at=later.published_at)
    with django_assert_num_queries(len(of_one)):
        page = admin_client.get("/admin/notifications/feedback/")
    assert page.context["cl"].result_count == 5


def test_delivery_is_found_by_its_public_id(admin_client: Client, signal: Signal) -> None:
    public_id = Delivery.objects.get().public_id
    page = admin_client.get("/admin/notifications/delivery/", {"q": str(public_id)})
    assert page.context["cl"].result_count == 1
    assert "Ada &lt;b&gt;" in page.content.decode()


def test_why_not_answers_in_words(admin_client: Client, signal: Signal) -> None:
    excluded = make_subscriber(tier=make_tier(account_types=["demo"]), account_type="live")
    asked = {"signal": signal.sequence, "subscriber": excluded.pk}
    page = admin_client.get("/admin/notifications/delivery/why-not/", asked)
    assert "The tier is not open to this account type." in page.content.decode()


def test_signal_is_picked_from_a_list(admin_client: Client, signal: Signal) -> None:
    page = admin_client.get("/admin/notifications/delivery/why-not/").content.decode()
    assert f'<option value="{signal.sequence}">' in page
    assert f"{signal.instrument}, 1h, number {signal.sequence}" in page


def test_why_not_tells_what_held_at_publication_beside_today(admin_client: Client) -> None:
    subscriber = make_subscriber(risk_profile="low")
    signal = make_signal(confidence=0.56)
    fan_out(signal=signal)
    Subscriber.objects.update(risk_profile="aggressive")
    asked = {"signal": signal.sequence, "subscriber": subscriber.pk}
    page = admin_client.get("/admin/notifications/delivery/why-not/", asked).content.decode()
    assert "56 % &lt; 70 %" in page
    assert "they were different at publication" in page


def test_why_not_refuses_a_signal_that_does_not_exist(admin_client: Client, signal: Signal) -> None:
    asked = {"signal": 999, "subscriber": 1}
    page = admin_client.get("/admin/notifications/delivery/why-not/", asked)
    assert "There is no signal with this number." in page.content.decode()


def shown(client: Client, signal: Signal, subscriber: Subscriber, kind: str = "signal") -> str:
    asked = {"signal": signal.sequence, "subscriber": subscriber.pk, "kind": kind}
    page = client.get("/admin/notifications/delivery/preview/", asked)
    assert page.status_code == 200
    return page.content.decode()


def test_preview_shows_each_subscriber_their_own_message(admin_client: Client, signal: Signal) -> None:
    rich, poor = (make_subscriber(capital=capital) for capital in (50_000, 0))
    page = shown(admin_client, signal, rich)
    assert "50,000.00 × 1 % = 500.00 USDT at risk" in page
    assert "<b>LONG " in page
    assert "RSI left oversold &lt;30 &amp; turned up" in page
    assert "Text alone" in page
    assert "I acted" in page
    assert "No size:" in shown(admin_client, signal, poor)


def test_preview_shows_the_picture_and_counts_the_captions_units(
    admin_client: Client, signal: Signal
) -> None:
    SignalPicture.objects.create(signal=signal, png=b"PNG", requested_at=signal.published_at)
    subscriber = Subscriber.objects.get()
    page = shown(admin_client, signal, subscriber)
    assert "data:image/png;base64,UE5H" in page
    assert "of at most 1024 characters, as Telegram counts" in page


def test_preview_shows_the_repeat_and_what_the_bot_answers(admin_client: Client, signal: Signal) -> None:
    """A paused and unlinked subscriber too, who could not ask."""
    subscriber = make_subscriber(chat_id=None, display_name="Eve <i>")
    page = shown(admin_client, signal, subscriber)
    assert "(repeat)" in page
    for question in ("Opening the link", "/status", "/last", "/help"):
        assert f"<h3>{question}</h3>" in page
    assert "No signal has been sent to you yet." in page
    assert "Eve &lt;i&gt;" in page
    assert "Eve <i>" not in page


def test_preview_of_a_follow_up_needs_an_end(admin_client: Client, signal: Signal) -> None:
    subscriber = Subscriber.objects.get()
    assert "This signal has not ended" in shown(admin_client, signal, subscriber, "outcome")
    make_outcome(signal=signal)
    page = shown(admin_client, signal, subscriber, "outcome")
    assert "+1.94 R" in page
    assert "I acted" not in page


@pytest.mark.parametrize("page", ["preview", "why-not"])
def test_page_is_refused_to_whoever_may_not_see_deliveries(
    client: Client, django_user_model: type[User], signal: Signal, page: str
) -> None:
    assert client.get(f"/admin/notifications/delivery/{page}/").status_code == 302
    client.force_login(
        django_user_model.objects.create_user("bo", "bo@example.com", "a-password-1", is_staff=True)
    )
    assert client.get(f"/admin/notifications/delivery/{page}/").status_code == 403

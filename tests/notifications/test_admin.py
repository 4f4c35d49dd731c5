"""The pages of deliveries as an admin sees them."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from notifications.models import Delivery, Feedback, SenderState, TelegramUpdate
from notifications.services.fan_out import fan_out
from signals.models import Signal
from tests.notifications.rows import make_signal, make_subscriber, make_tier

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


def test_why_not_refuses_a_signal_that_does_not_exist(admin_client: Client, signal: Signal) -> None:
    asked = {"signal": 999, "subscriber": 1}
    page = admin_client.get("/admin/notifications/delivery/why-not/", asked)
    assert "There is no signal with this number." in page.content.decode()

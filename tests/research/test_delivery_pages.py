"""The delivery pages against brute force, and as a browser's visitor sees them."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.live_server_helper import LiveServer

from notifications.models import Delivery, DeliveryState
from notifications.services.advice import what_to_do
from notifications.services.eligibility import Exclusion
from notifications.services.fan_out import fan_out, why_not
from notifications.services.sender.transition import MISTAKE_BEGINS
from research.charts.deliveries import delivery_columns
from research.selectors.deliveries import (
    BUCKETS,
    Bucket,
    buckets,
    excluded,
    latencies,
    released_between,
    troubles,
    ways,
)
from signals.models import Signal
from tests.browser import visiting
from tests.factories import make_instrument
from tests.notifications.rows import make_signal, make_subscriber, make_tier
from users.models import Subscriber, User

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def deliver(state: str = "sent", *, took: float = 1.0, minutes_ago: float = 10, **values: Any) -> Delivery:
    """One delivery of a signal of its own, released `minutes_ago` and sent `took` seconds later."""
    subscriber = values.pop("subscriber", None) or make_subscriber(tier=values.pop("tier", None))
    signal = make_signal(published_at=NOW - timedelta(minutes=minutes_ago))
    fan_out(signal=signal)
    delivery = Delivery.objects.get(signal=signal, subscriber=subscriber)
    Delivery.objects.filter(signal=signal).exclude(pk=delivery.pk).delete()
    sent_at = delivery.due_at + timedelta(seconds=took) if state == "sent" else None
    Delivery.objects.filter(pk=delivery.pk).update(state=state, sent_at=sent_at, **values)
    delivery.refresh_from_db()
    return delivery


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_latency_percentiles_are_the_ordered_values_that_their_share_does_not_exceed() -> None:
    vip, free = make_tier(code="vip", name="VIP", rank=9000), make_tier(code="free", name="Free", rank=8000)
    took = [0.5, 8.0, 2.0, 1.0, 4.0]
    for seconds in took:
        deliver(took=seconds, tier=vip)
    deliver(took=3.0, tier=free)
    deliver("dead", tier=free)

    found = latencies(Delivery.objects.all())

    ordered = sorted(took)
    expected = [ordered[math.ceil(share * len(took)) - 1] for share in (0.5, 0.95, 0.99)]
    assert [(row.name, row.sent) for row in found] == [("VIP", 5), ("Free", 1)]
    assert [found[0].p50, found[0].p95, found[0].p99, found[0].longest] == pytest.approx([*expected, 8.0])
    assert found[1].p50 == pytest.approx(3.0)


def test_each_delivery_is_in_the_one_bucket_that_holds_its_release() -> None:
    start, width = NOW - timedelta(hours=24), timedelta(minutes=30)
    minutes_and_states = [(1, "pending"), (29.9, "sent"), (30, "sent"), (31, "dead"), (1439, "expired")]
    for minutes, state in [*minutes_and_states, (1441, "sent")]:
        deliver(state, minutes_ago=minutes, reason="x")

    found = buckets(start=start, end=NOW)

    expected = [[0, 0, 0] for _ in range(BUCKETS)]
    kinds = {"sent": 0, "pending": 1, "dead": 2, "expired": 2}
    for minutes, state in minutes_and_states:
        expected[(NOW - timedelta(minutes=minutes) - start) // width][kinds[state]] += 1
    assert [[bucket.sent, bucket.waiting, bucket.failed] for bucket in found] == expected
    assert released_between(start=start, end=NOW).count() == len(minutes_and_states)


def test_columns_are_stacked_from_the_bottom_and_the_fullest_reaches_the_top() -> None:
    chart = delivery_columns([Bucket(NOW, 1, 0, 0), Bucket(NOW, 2, 1, 1), Bucket(NOW, 0, 0, 0)])

    assert chart.highest == 4
    assert [[(bar.kind, bar.y, bar.height) for bar in column.bars] for column in chart.columns] == [
        [("sent", 75.0, 25.0)],
        [("sent", 50.0, 50.0), ("waiting", 25.0, 25.0), ("failed", 0.0, 25.0)],
        [],
    ]


def test_troubles_are_grouped_by_state_and_reason_unknown_fates_first() -> None:
    for state, reason, count in (
        ("expired", "expired", 3),
        ("dead", "Forbidden: bot was blocked by the user", 2),
        ("unknown", "Timed out", 1),
        ("sent", "", 1),
    ):
        for _ in range(count):
            deliver(state, reason=reason)

    found = troubles(Delivery.objects.all())

    assert [(trouble.state.value, trouble.count) for trouble in found] == [
        ("unknown", 1),
        ("dead", 2),
        ("expired", 3),
    ]


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("unknown", "Timed out", "Nothing is sent again by itself"),
        ("expired", "expired", "sender was down"),
        ("dead", "paused", "Nothing to do"),
        ("dead", "unreachable", "unblock the bot"),
        ("dead", "Forbidden: bot was blocked by the user", "unblock the bot"),
        ("dead", "Bad Request: chat not found", "unblock the bot"),
        ("dead", "Bad Request: BUTTON_DATA_INVALID", "our mistake"),
        ("dead", f"{MISTAKE_BEGINS}: KeyError: 'chat_id'", "nothing was sent"),
    ],
)
def test_advice_fits_the_reason(state: str, reason: str, words: str) -> None:
    assert words in what_to_do(state, reason)


def test_way_is_held_until_the_release_and_under_way_until_its_end() -> None:
    free = make_subscriber(tier=make_tier(delay_seconds=900))
    signal = make_signal(published_at=NOW - timedelta(minutes=30))
    fan_out(signal=signal)
    delivery = Delivery.objects.get(subscriber=free)
    (waiting,) = ways(signal=signal, deliveries=[delivery], now=NOW)
    assert (waiting.held, waiting.under_way) == (50.0, 50.0)

    delivery.state, delivery.sent_at = DeliveryState.SENT.value, delivery.due_at + timedelta(minutes=5)
    (sent,) = ways(signal=signal, deliveries=[delivery], now=NOW)
    assert (sent.held, sent.under_way) == (75.0, 25.0)

    delivery.state, delivery.sent_at = DeliveryState.DEAD.value, None
    (dead,) = ways(signal=signal, deliveries=[delivery], now=NOW)
    assert (dead.held, dead.under_way) == (100.0, 0.0)
    assert 0 < dead.width == pytest.approx(100 - dead.x)


def test_who_did_not_get_it_is_everybody_without_a_delivery_under_the_reason_of_why_not() -> None:
    make_subscriber(display_name="Gets it")
    for name in ("Ann", "Bob"):
        make_subscriber(display_name=name, status="archived")
    make_subscriber(display_name="Cem", chat_id=None)
    signal = make_signal()
    fan_out(signal=signal)
    late = make_subscriber(display_name="Dee")

    found = excluded(signal=signal)

    assert (found[0].count, found[0].names) == (2, ["Ann", "Bob"])
    assert sorted(reason.count for reason in found) == [1, 1, 2]
    words = {name: reason.words for reason in found for name in reason.names}
    assert words["Cem"] == why_not(signal=signal, subscriber=Subscriber.objects.get(display_name="Cem"))
    assert words["Ann"] == Exclusion.NOT_ACTIVE.words
    assert "Would get it as settings are now" in words["Dee"]
    assert "would get it" in why_not(signal=signal, subscriber=late)


def test_empty_pages_say_what_to_do_next(admin_client: Client) -> None:
    page = text(admin_client, "/admin/console/deliveries/")
    assert "Nothing was released in the last 24h." in page
    assert "No delivery failed, expired or went unconfirmed" in page
    assert "Nothing was sent in this period." in page

    alone = make_subscriber(chat_id=None)
    assert "No chat is linked" in text(
        admin_client, f"/admin/console/deliveries/subscribers/{alone.public_id}/"
    )
    assert "Nobody was eligible" in text(
        admin_client, f"/admin/console/deliveries/signals/{make_signal().public_id}/"
    )


def full_system() -> tuple[Signal, Subscriber]:
    now = timezone.now()
    subscriber = make_subscriber(display_name="<b>Ada</b>", tier=make_tier(code="vip", name="VIP"))
    make_subscriber(display_name="Free Fred", tier=make_tier(code="free", name="Free", delay_seconds=900))
    make_subscriber(display_name="Archie", status="archived")
    signal = make_signal(
        instrument=make_instrument(symbol="BTC/USDT"), published_at=now - timedelta(minutes=20)
    )
    fan_out(signal=signal)
    Delivery.objects.filter(subscriber=subscriber).update(
        state="sent", sent_at=now - timedelta(minutes=19, seconds=58)
    )
    other = make_signal(instrument=make_instrument(symbol="ETH/USDT"), published_at=now - timedelta(hours=2))
    fan_out(signal=other)
    Delivery.objects.filter(signal=other).update(state="unknown", reason="<i>Timed out</i>")
    return signal, subscriber


@pytest.mark.slow
def test_pages_show_what_is_there_escaped_and_every_link_leads_somewhere(admin_client: Client) -> None:
    signal, subscriber = full_system()
    paths = [
        "/admin/console/deliveries/",
        "/admin/console/deliveries/state/?period=7d",
        f"/admin/console/deliveries/signals/{signal.public_id}/",
        f"/admin/console/deliveries/subscribers/{subscriber.public_id}/",
    ]
    followed = set[str]()  # the menu's are on every page
    for path in paths:
        page = text(admin_client, path)
        assert "BTC/USDT" in page
        assert "<b>Ada" not in page
        assert "<i>Timed" not in page
        links = {part.split('"')[0].replace("&amp;", "&") for part in page.split('href="')[1:]}
        inside = {link for link in links if link.startswith("/admin/") and "logout" not in link}
        for link in sorted(inside - followed):
            assert admin_client.get(link, follow=True).status_code == 200, link
        followed |= inside
    timeline = text(admin_client, paths[2])
    assert "&lt;b&gt;Ada&lt;/b&gt;" in timeline
    assert "2.0 s" in timeline
    assert Exclusion.NOT_ACTIVE.words in timeline
    assert "&lt;i&gt;Timed out&lt;/i&gt;" in text(admin_client, paths[0])


def test_signal_and_subscriber_in_the_admin_lead_to_their_deliveries(admin_client: Client) -> None:
    signal, subscriber = full_system()
    for path, title in (
        (f"/admin/signals/signal/{signal.pk}/change/", "Deliveries of BTC/USDT"),
        (f"/admin/users/subscriber/{subscriber.pk}/change/", "Deliveries to &lt;b&gt;Ada"),
    ):
        page = text(admin_client, path)
        (link,) = [part.split('"')[0] for part in page.split('href="')[1:] if part.startswith("/admin/r/")]
        assert title in admin_client.get(link, follow=True).content.decode()


def test_follow_ups_are_counted_beside_the_timeline_not_on_its_scale(admin_client: Client) -> None:
    signal, subscriber = full_system()
    original = Delivery.objects.get(signal=signal, subscriber=subscriber)
    original.pk, original.public_id, original.kind = None, uuid4(), "outcome"
    original.due_at = original.sent_at = signal.published_at + timedelta(hours=3)
    original.save()

    page = text(admin_client, f"/admin/console/deliveries/signals/{signal.public_id}/")

    assert "Told how it ended: 1 sent." in page
    assert page.count("&lt;b&gt;Ada&lt;/b&gt;</a>") == 1


@pytest.mark.parametrize("query", ["period=century", "period=", "page=x", "page=-3", "page=999"])
def test_rubbish_in_the_query_shows_the_page_all_the_same(admin_client: Client, query: str) -> None:
    signal, subscriber = full_system()
    for path in ("", f"signals/{signal.public_id}/", f"subscribers/{subscriber.public_id}/"):
        assert "BTC/USDT" in text(admin_client, f"/admin/console/deliveries/{path}?{query}")


def test_unknown_ids_are_not_found_and_strangers_are_sent_to_the_login(
    admin_client: Client, client: Client
) -> None:
    for kind in ("signals", "subscribers"):
        path = f"/admin/console/deliveries/{kind}/{uuid4()}/"
        assert admin_client.get(path).status_code == 404
        assert client.get(path).status_code == 302
    assert client.get("/admin/console/deliveries/").status_code == 302
    assert client.get("/admin/console/deliveries/state/").status_code == 302


def test_pages_are_refused_to_staff_who_may_not_see_deliveries(client: Client) -> None:
    signal, subscriber = full_system()
    user = User.objects.create_user("bo", "bo@example.com", "a-password-1", is_staff=True)
    client.force_login(user)
    pages = ["", "state/", f"signals/{signal.public_id}/", f"subscribers/{subscriber.public_id}/"]
    for path in pages:
        assert client.get(f"/admin/console/deliveries/{path}").status_code == 403
    rights = ["view_delivery", "view_signal", "view_subscriber"]
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    for path in pages:
        assert client.get(f"/admin/console/deliveries/{path}").status_code == 200


def test_reasons_are_told_in_words(admin_client: Client) -> None:
    signal, subscriber = full_system()
    Delivery.objects.filter(signal=signal).update(state="dead", reason=Exclusion.NOT_ACTIVE.value)
    for path in (f"signals/{signal.public_id}/", f"subscribers/{subscriber.public_id}/"):
        page = text(admin_client, f"/admin/console/deliveries/{path}")
        assert Exclusion.NOT_ACTIVE.words in page
        assert f'why">{Exclusion.NOT_ACTIVE.value}' not in page


def test_more_rows_need_no_more_queries(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    signal, _ = full_system()
    paths = ["/admin/console/deliveries/state/", f"/admin/console/deliveries/signals/{signal.public_id}/"]
    for path in paths:
        with django_assert_max_num_queries(40) as few:
            admin_client.get(path)
        for _ in range(4):
            make_subscriber()
        fan_out(signal=signal)
        with django_assert_max_num_queries(len(few)):
            admin_client.get(path)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_page_is_live_and_breaks_no_policy(chromium: Path, live_server: LiveServer) -> None:
    User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    full_system()
    with visiting(chromium, viewport={"width": 390, "height": 800}) as (page, complaints):
        page.goto(f"{live_server.url}/admin/console/deliveries/")
        page.fill("[name=login]", "boss")
        page.fill("[name=password]", "a-password-1")
        page.click("text=Log in >> nth=-1")
        page.wait_for_selector(".trouble.unknown")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        Delivery.objects.filter(state="unknown").update(state="dead")
        page.wait_for_selector(".trouble.dead")
        page.click("th a:has-text('BTC/USDT')")
        page.wait_for_selector("td.way svg rect.sent")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert complaints == []

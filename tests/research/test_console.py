"""The console's first page: what it says of the system, and that it works in a browser under the policy."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from pytest_django.live_server_helper import LiveServer

from notifications.models import Delivery, SenderState
from notifications.services.fan_out import fan_out
from research.selectors.console import Life, delivery_rows, life_of, newest_candles, oldest_due, process_lives
from research.templatetags.console import age, price
from signals.market.models import Candle
from signals.models import Alarm, Heartbeat
from tests.browser import visiting
from tests.factories import make_instrument
from tests.notifications.rows import make_signal, make_subscriber, make_tier
from users.models import User

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def beat(name: str, seconds_ago: float) -> None:
    at = NOW - timedelta(seconds=seconds_ago)
    Heartbeat.objects.update_or_create(name=name, defaults={"beat_at": at, "expected_every_seconds": 10})


def lives() -> dict[str, Life]:
    return {life.process.heartbeat: life.life for life in process_lives(now=NOW)}


def text(client: Client) -> str:
    return " ".join(client.get("/admin/").content.decode().split())


def test_process_is_alive_then_late_then_dead() -> None:
    assert set(lives().values()) == {Life.UNSEEN}
    for name, seconds in (("beat", 10), ("worker", 50), ("sender", 121)):
        beat(name, seconds)
    assert lives() == {"beat": Life.ALIVE, "worker": Life.LATE, "sender": Life.DEAD}
    assert life_of(timedelta(seconds=30), timedelta(seconds=30)) is Life.ALIVE


def test_worker_is_not_blamed_for_a_beat_that_sends_no_ticks() -> None:
    beat("beat", 600)
    beat("worker", 600)

    assert lives()["beat"] is Life.DEAD
    assert lives()["worker"] is Life.UNKNOWN


def test_newest_candle_of_each_active_instrument_and_its_age_since_it_closed() -> None:
    fresh, stale, empty = (make_instrument() for _ in range(3))
    make_instrument(is_active=False)
    for instrument, opened, close in ((fresh, 10, 9.0), (fresh, 11, 10.5), (stale, 10, 7.0)):
        at = NOW.replace(hour=opened, minute=0)
        bar = {"open": close, "high": close, "low": close, "close": close, "volume": 1}
        Candle.objects.create(instrument=instrument, timeframe="1h", open_time=at, **bar)

    found = {candle.instrument: candle for candle in newest_candles(now=NOW)}

    assert found.keys() == {fresh, stale, empty}
    assert (found[fresh].close, found[fresh].age, found[fresh].is_late) == (
        10.5,
        timedelta(minutes=30),
        False,
    )
    assert (found[stale].age, found[stale].is_late) == (timedelta(minutes=90), True)
    assert (found[empty].age, found[empty].is_late) == (None, True)


def test_deliveries_are_counted_by_tier_and_state_and_old_ones_left_out() -> None:
    vip, free = make_tier(code="vip", rank=900), make_tier(code="free", rank=800, delay_seconds=900)
    for tier in (vip, free, free):
        make_subscriber(tier=tier)
    for published_at in (NOW - timedelta(hours=25), NOW - timedelta(hours=1)):
        fan_out(signal=make_signal(published_at=published_at))
    due = Delivery.objects.filter(tier="vip")
    due.update(state="sent", sent_at=NOW)

    rows = {
        row.tier: {cell.state.value: cell.count for cell in row.counts}
        for row in delivery_rows(start=NOW - timedelta(hours=24))
    }

    assert list(rows) == ["vip", "free", ""]
    assert (rows["vip"]["sent"], rows["vip"]["pending"]) == (1, 0)
    assert (rows["free"]["sent"], rows["free"]["pending"]) == (0, 2)
    assert (rows[""]["sent"], rows[""]["pending"]) == (1, 2)


def test_oldest_due_is_the_one_that_waits_longest_not_one_before_its_release() -> None:
    make_subscriber(tier=make_tier(delay_seconds=900))
    assert oldest_due(now=NOW) is None
    for minutes in (10, 40, 20):
        fan_out(signal=make_signal(published_at=NOW - timedelta(minutes=minutes)))

    oldest = oldest_due(now=NOW)

    assert oldest
    assert oldest.due_at == NOW - timedelta(minutes=25)
    Delivery.objects.exclude(signal__published_at=NOW - timedelta(minutes=10)).update(state="dead")
    assert oldest_due(now=NOW) is None


def test_empty_system_says_what_to_do_next(admin_client: Client) -> None:
    page = text(admin_client)

    assert "No signal yet." in page
    assert "Add a subscriber</a>" in page
    assert "manage.py backfill" in page
    assert "it was never started" in page
    assert "Nothing is overdue." in page


def test_full_system_shows_newest_signal_first_and_every_link_leads_somewhere(admin_client: Client) -> None:
    make_subscriber(tier=make_tier(code="vip"))
    now = timezone.now()
    for symbol, minutes in (("OLD/USDT", 50), ("NEW/USDT", 5)):
        instrument = make_instrument(symbol=symbol)
        fan_out(signal=make_signal(instrument=instrument, published_at=now - timedelta(minutes=minutes)))
    state = admin_client.get("/admin/console/state/")

    page = state.content.decode()

    assert 0 < page.index("NEW/USDT") < page.index("OLD/USDT")
    assert "late</strong>" in page
    links = {part.split('"')[0].replace("&amp;", "&") for part in page.split('href="')[1:]}
    for link in sorted(link for link in links if link.startswith("/")):
        assert admin_client.get(link).status_code == 200, link


def test_simulated_system_says_so_and_a_real_one_does_not(admin_client: Client, settings: Settings) -> None:
    settings.SANDBOX = True
    assert "Sandbox: no real market, no real Telegram." in text(admin_client)
    settings.SANDBOX = False
    assert "Sandbox" not in text(admin_client)


def test_halted_sender_is_the_first_thing_to_read(admin_client: Client) -> None:
    SenderState.objects.create(halted_reason="Telegram refuses the bot token")

    assert "Nothing is being sent:</strong> Telegram refuses the bot token" in text(admin_client)


def test_open_alarm_is_named_until_it_is_over(admin_client: Client) -> None:
    alarm = Alarm.objects.create(name="web", raised_at=timezone.now(), detail="no sign of life since noon")
    assert "Alarm: web:</strong> no sign of life since noon" in text(admin_client)
    alarm.cleared_at = timezone.now()
    alarm.save()
    assert "Alarm:" not in text(admin_client)


def test_more_rows_need_no_more_queries(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_subscriber()
    fan_out(signal=make_signal())
    admin_client.get("/admin/console/state/")
    with django_assert_max_num_queries(20) as few:
        admin_client.get("/admin/console/state/")
    for _ in range(5):
        make_subscriber()
        fan_out(signal=make_signal())
    with django_assert_max_num_queries(len(few)):
        admin_client.get("/admin/console/state/")


def test_state_is_for_staff_only(client: Client) -> None:
    assert client.get("/admin/console/state/").status_code == 302


def test_policy_allows_no_inline_script_and_eval_in_the_admin_only(
    admin_client: Client, client: Client
) -> None:
    inside = admin_client.get("/admin/").headers["Content-Security-Policy"]
    outside = client.get("/accounts/login/").headers["Content-Security-Policy"]

    assert "script-src 'self' 'unsafe-eval';" in f"{inside};"
    assert "script-src 'self';" in f"{outside};"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 0 min"), (100_000, "1 d 3 h")],
)
def test_age_has_two_units_at_most(seconds: int, words: str) -> None:
    assert age(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (67123.4, "67,123.40"),
        (1.5, "1.50"),
        (2.34567, "2.34567"),
        (0.12345, "0.12345"),
        (0.00001234, "0.00001234"),
    ],
)
def test_price_keeps_the_digits_that_matter(value: float, words: str) -> None:
    assert price(value) == words


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_page_refreshes_itself_and_breaks_no_policy(chromium: Path, live_server: LiveServer) -> None:
    User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    with visiting(chromium) as (page, complaints):
        page.goto(f"{live_server.url}/admin/")
        page.fill("[name=login]", "boss")
        page.fill("[name=password]", "a-password-1")
        page.click("text=Log in >> nth=-1")
        page.wait_for_selector(".tile.not-seen-yet")
        Heartbeat.objects.create(name="sender", beat_at=timezone.now(), expected_every_seconds=3600)
        page.wait_for_selector("a.tile.alive:has-text('Sender')")
        assert complaints == []
        page.route(lambda url: "/admin/console/state/" in url, lambda route: route.abort())
        page.wait_for_selector(".clock.stale:has-text('what you see is old')")


def test_first_page_and_menu_show_only_what_the_person_may_see(client: Client) -> None:
    make_subscriber(display_name="Ada Lovelace")
    fan_out(signal=make_signal(published_at=timezone.now() - timedelta(minutes=5)))
    user = User.objects.create(username="guest", is_staff=True)
    client.force_login(user)
    for url in ("/admin/", "/admin/console/state/"):
        page = client.get(url).content.decode()
        assert "Trading sessions" in page
        for secret in ("Ada Lovelace", "Last signals", "Deliveries live", "active ones can be"):
            assert secret not in page
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_delivery", "view_signal"]))
    page = client.get("/admin/").content.decode()
    assert "Last signals" in page
    for secret in ("Ada Lovelace", "Deliveries live", "active ones can be"):
        assert secret not in page
    user.user_permissions.add(Permission.objects.get(codename="view_subscriber"))
    page = client.get("/admin/").content.decode()
    for shown in ("Ada Lovelace", "Deliveries live", "active ones can be"):
        assert shown in page

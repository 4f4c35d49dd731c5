"""Linking a chat, resting and removal."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from notifications.models import DeliveryPreference
from tests.notifications.rows import make_subscriber, make_tier
from users.models import LinkToken, Subscriber
from users.services import (
    LinkError,
    LinkRefusal,
    SubscriberError,
    add_subscriber,
    archive_subscriber,
    issue_link_token,
    redeem_link_token,
    remove_subscriber,
    restore_subscriber,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def redeem(token: str, *, chat_id: int = 77, now: datetime = NOW) -> Subscriber:
    return redeem_link_token(token=token, chat_id=chat_id, telegram_username="ada", now=now)


def refusal(token: str, *, chat_id: int = 77, now: datetime = NOW) -> LinkRefusal:
    with pytest.raises(LinkError) as caught:
        redeem(token, chat_id=chat_id, now=now)
    return caught.value.reason


def test_token_fits_a_telegram_link_and_is_stored_only_as_a_hash() -> None:
    token = issue_link_token(subscriber=make_subscriber(), now=NOW)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22,64}", token)
    assert token not in LinkToken.objects.get().token_hash


def test_token_links_once_and_only_within_ten_minutes() -> None:
    subscriber = make_subscriber(chat_id=None)
    late = issue_link_token(subscriber=subscriber, now=NOW)
    assert refusal(late, now=NOW + timedelta(minutes=10)) is LinkRefusal.EXPIRED
    assert redeem(late, now=NOW + timedelta(minutes=9)).chat_id == 77
    assert refusal(late) is LinkRefusal.USED


def test_new_token_ends_the_older_one() -> None:
    subscriber = make_subscriber(chat_id=None)
    old, new = (issue_link_token(subscriber=subscriber, now=NOW) for _ in range(2))
    assert refusal(old) is LinkRefusal.EXPIRED
    assert redeem(new).chat_id == 77


def test_chat_of_another_subscriber_stays_theirs() -> None:
    owner = make_subscriber(chat_id=77)
    token = issue_link_token(subscriber=make_subscriber(chat_id=None), now=NOW)
    assert refusal(token) is LinkRefusal.CHAT_TAKEN
    owner.refresh_from_db()
    assert owner.chat_id == 77


def test_new_link_moves_a_subscriber_and_makes_the_chat_reachable() -> None:
    subscriber = make_subscriber(chat_id=5, unreachable_reason="blocked")
    redeem(issue_link_token(subscriber=subscriber, now=NOW))
    subscriber.refresh_from_db()
    assert (subscriber.chat_id, subscriber.unreachable_reason) == (77, "")


def test_archived_subscriber_is_not_linked() -> None:
    subscriber = make_subscriber(chat_id=None)
    token = issue_link_token(subscriber=subscriber, now=NOW)
    archive_subscriber(subscriber=subscriber, now=NOW)
    assert refusal(token) is LinkRefusal.INACTIVE
    restore_subscriber(subscriber=subscriber)
    assert redeem(token).chat_id == 77


def test_unknown_token_is_refused() -> None:
    assert refusal("nonsense") is LinkRefusal.UNKNOWN


def test_removal_leaves_no_personal_data_in_any_column_of_any_table() -> None:
    secret = "Zaphod-Unmistakable"
    subscriber = make_subscriber(
        display_name=secret, telegram_username=secret, notes=secret, chat_id=987654321987, tier=make_tier()
    )
    subscriber.notes = f"{secret} again"
    subscriber.save()
    issue_link_token(subscriber=subscriber, now=NOW)
    remove_subscriber(subscriber=subscriber, now=NOW)
    remove_subscriber(subscriber=subscriber, now=NOW)
    assert not LinkToken.objects.exists()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s OR t::text LIKE %s',
                [f"%{secret}%", "%987654321987%"],
            )
            assert cursor.fetchone() == (0,), table
    with pytest.raises(SubscriberError, match="personal data are gone"):
        restore_subscriber(subscriber=subscriber)


def test_added_subscriber_is_validated() -> None:
    with pytest.raises(ValidationError):
        add_subscriber(display_name="", tier=make_tier())
    assert add_subscriber(display_name="Ada", tier=make_tier()).status == "active"


def test_removal_forgets_what_a_person_owns_and_wishes() -> None:
    subscriber = make_subscriber(capital=Decimal(123456), preference={"timezone": "Europe/Berlin"})
    subscriber.capital = Decimal(654321)
    subscriber.save()

    remove_subscriber(subscriber=subscriber, now=NOW)

    assert (subscriber.capital, subscriber.risk_fraction, subscriber.subscription_ends_at) == (0, 0, None)
    assert not DeliveryPreference.objects.exists()
    history = subscriber.events.all()
    assert history.count() >= 3, "that something was done stays"
    assert {(row.capital, row.linked_at) for row in history} == {(Decimal(0), None)}


@pytest.mark.django_db(transaction=True)
def test_issuing_redeeming_and_removing_never_wait_for_each_other() -> None:
    """Fifty pairs deadlocked on the order of their locks."""
    subscribers = [make_subscriber(chat_id=None) for _ in range(3)]
    tokens = {s.pk: issue_link_token(subscriber=s, now=NOW) for s in subscribers}
    started = Barrier(6)

    def issue(subscriber: Subscriber) -> None:
        for _ in range(25):
            issue_link_token(subscriber=subscriber, now=NOW)

    def use(subscriber: Subscriber) -> None:
        for _ in range(25):
            with suppress(LinkError):
                redeem(tokens[subscriber.pk], chat_id=subscriber.pk)
            LinkToken.objects.filter(subscriber=subscriber).update(
                used_at=None, expires_at=NOW + timedelta(hours=1)
            )

    def together(work: Callable[[Subscriber], None], subscriber: Subscriber) -> None:
        try:
            started.wait(30)
            work(subscriber)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(together, work, s) for s in subscribers for work in (issue, use)]
        for job in jobs:
            job.result(timeout=120)


@pytest.mark.django_db(transaction=True)
def test_two_links_opened_in_one_chat_at_once_link_one_and_refuse_the_other() -> None:
    tokens = [issue_link_token(subscriber=make_subscriber(chat_id=None), now=NOW) for _ in range(4)]
    started = Barrier(len(tokens))

    def use(token: str) -> str:
        try:
            started.wait(30)
            redeem(token, chat_id=99)
        except LinkError as error:
            return error.reason
        finally:
            connection.close()
        return "linked"

    with ThreadPoolExecutor(len(tokens)) as pool:
        outcomes = sorted(pool.map(use, tokens))

    assert outcomes == ["chat_taken"] * 3 + ["linked"]

"""No path shows a subscriber anything before its release: signals, ends, commands and buttons at any clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifications.models import Delivery
from notifications.selectors import last_visible, visible_to
from notifications.services.fan_out import fan_out
from tests.length import examples
from tests.notifications.chat import command, tap
from tests.notifications.rows import make_outcome, make_signal, make_subscriber, make_tier
from users.models import Subscriber

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

minutes = st.integers(-60, 60)
states = st.sampled_from(["pending", "sending", "sent", "sent", "retry", "dead", "unknown", "expired"])
rows = st.fixed_dictionaries(
    {
        "published": minutes,
        "state": states,
        "is_repeat": st.booleans(),
        "ended": st.none() | st.tuples(minutes, states),
    }
)


def deliver(
    subscriber: Subscriber, signal: Any, kind: str, due_at: datetime, state: str, *, is_repeat: bool
) -> Delivery:
    return Delivery.objects.create(
        signal=signal,
        subscriber=subscriber,
        kind=kind,
        tier="x",
        tier_rank=1,
        state=state,
        is_repeat=is_repeat,
        due_at=due_at,
        next_attempt_at=due_at,
        expires_at=due_at + timedelta(hours=4),
        sent_at=due_at if state == "sent" else None,
        attempt_id="00000000-0000-0000-0000-000000000001",
        lease_until=due_at,
    )


def arrived(delivery: Delivery, now: datetime) -> bool:
    """The rule once more: released, and in or possibly in the chat."""
    if delivery.due_at > now:
        return False
    return delivery.state in ("sent", "sending", "unknown") or delivery.is_repeat


@pytest.mark.slow
@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    given_rows=st.lists(rows, min_size=1, max_size=5),
    delay=st.sampled_from([0, 15, 45]),
    clock=st.integers(-60, 120),
)
def test_nothing_is_seen_before_its_release_by_any_path(
    given_rows: list[dict[str, Any]], delay: int, clock: int
) -> None:
    now = NOON + timedelta(minutes=clock)
    with transaction.atomic():
        subscriber, other = (make_subscriber(tier=make_tier(delay_seconds=delay * 60)) for _ in range(2))
        seen, written = set(), []
        for row in given_rows:
            published_at = NOON + timedelta(minutes=row["published"])
            signal = make_signal(published_at=published_at)
            due_at = published_at + timedelta(minutes=delay)
            told = deliver(subscriber, signal, "signal", due_at, row["state"], is_repeat=row["is_repeat"])
            result = None
            if row["ended"]:
                later, state = row["ended"]
                make_outcome(signal=signal, r_multiple=7.77)
                ended_at = max(due_at, due_at + timedelta(minutes=later))
                result = deliver(subscriber, signal, "outcome", ended_at, state, is_repeat=False)
            written.append((told, result))
            seen |= {each.pk for each in (told, result) if each and arrived(each, now)}
        assert set(visible_to(subscriber, now).values_list("pk", flat=True)) == seen
        assert not visible_to(other, now).exists()
        last = command("/last", subscriber.chat_id or 0, now)
        for told, result in written:
            symbol = f"{told.signal.instrument.symbol}</b>"
            assert (symbol in last) == (told.pk in seen)
            assert tap(told, subscriber.chat_id or 0, now) == (told.pk in seen)
            assert not tap(told, other.chat_id or 0, now)
            if result:
                assert not tap(result, subscriber.chat_id or 0, now)
        assert last.count("7.77 R") == sum(
            told.pk in seen and result is not None and result.pk in seen for told, result in written
        )
        for text in ("/status", "/help"):
            assert "USDT" not in command(text, subscriber.chat_id or 0, now)
        assert "USDT" not in command("/last", other.chat_id or 0, now)
        transaction.set_rollback(True)


def test_last_signals_are_the_newest_five_with_what_became_of_them() -> None:
    subscriber = make_subscriber()
    signals = [make_signal(published_at=NOON - timedelta(hours=age)) for age in range(7)]
    for signal in signals:
        fan_out(signal=signal)
    Delivery.objects.update(state="sent", sent_at=NOON)
    make_outcome(signal=signals[1], exit_reason="stop", r_multiple=-1.07, return_ratio=-0.0535)
    deliver(subscriber, signals[1], "outcome", NOON, "sent", is_repeat=False)
    assert [row.signal for row, _ in last_visible(subscriber, NOON, count=5)] == signals[:5]
    text = command("/last", subscriber.chat_id or 0, NOON)
    assert text.count("LONG") == 5
    assert "Stopped: <b>-1.07 R (-5.35 %)</b> after fees and slippage" in text
    assert text.count("No result yet") == 4
    assert "2026-05-04 12:00 UTC" in text


def test_nobody_who_got_nothing_is_told_of_anything() -> None:
    subscriber = make_subscriber()
    assert command("/last", subscriber.chat_id or 0, NOON) == "No signal has been sent to you yet."

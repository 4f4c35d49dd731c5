"""What became of a signal reaches those who got it, as a reply, no earlier than their tier may know."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from notifications.models import Delivery, DeliveryPreference
from notifications.services.fan_out import fan_out
from notifications.services.follow_up import follow_up
from signals.engine.timeframe import Timeframe
from signals.events import outcomes_recorded
from signals.market.models import ItemFailure
from signals.models import Signal, SignalOutcome
from signals.services.outcomes import record_outcomes
from tests.factories import make_instrument, make_series, store
from tests.notifications.rows import (
    Controls,
    make_outcome,
    make_signal,
    make_subscriber,
    make_tier,
    send_until,
)
from users.models import Subscriber, Tier

pytestmark = pytest.mark.django_db(transaction=True)

FOLLOW_UP_SETTLED = (
    "SELECT EXISTS (SELECT FROM notifications_delivery WHERE kind = 'outcome' AND state IN ('sent', 'dead'))"
)
FOLLOW_UP_WAITS = """SELECT EXISTS (
    SELECT FROM notifications_delivery WHERE kind = 'outcome' AND next_attempt_at > now() + interval '50 seconds')"""


def sent_signal(telegram: Controls, **signal: Any) -> Signal:
    telegram.open_chats(make_subscriber(tier=make_tier(max_sessions=None)))
    published = make_signal(**signal)
    fan_out(signal=published)
    send_until(telegram.url)
    assert Delivery.objects.get().state == "sent"
    return published


def outcome_of(signal: Signal, **values: Any) -> Delivery:
    make_outcome(signal=signal, **values)
    follow_up(signal_ids=[signal.pk])
    return Delivery.objects.get(kind="outcome")


def test_follow_up_answers_the_signals_message_without_buttons(telegram: Controls) -> None:
    signal = sent_signal(telegram)
    outcome_of(signal)
    send_until(telegram.url, FOLLOW_UP_SETTLED)
    first, second = telegram.sent()
    assert second["message"]["reply_to_message"]["message_id"] == first["message_id"]
    assert second["reply_markup"] is None
    for words in (
        f"Target reached: LONG {signal.instrument.symbol} · 1h",
        "Simulated market",
        "Result  +1.94 R (+9.72 %), after fees and slippage",
        "Entered at 100.10, left at 110.00 3 bars later",
        "your own fills will differ",
    ):
        assert words in second["text"]


def test_deleted_message_is_followed_up_all_the_same(telegram: Controls) -> None:
    signal = sent_signal(telegram)
    Delivery.objects.update(telegram_message_id=999_999)
    outcome_of(signal)
    send_until(telegram.url, FOLLOW_UP_SETTLED)
    assert "reply_to_message" not in telegram.sent()[-1]["message"]
    assert Delivery.objects.get(kind="outcome").state == "sent"


def test_each_tier_learns_of_the_end_after_its_delay_and_never_before_its_signal() -> None:
    real_time, delayed = make_tier(code="real"), make_tier(code="slow", delay_seconds=900)
    for tier in (real_time, delayed):
        make_subscriber(tier=tier)
    ended, running = make_signal(), make_signal(published_at=datetime.now(UTC) + timedelta(hours=1))
    for signal in (ended, running):
        fan_out(signal=signal)
        make_outcome(signal=signal)
    assert follow_up(signal_ids=[ended.pk, running.pk]) == 4
    written = {(d.signal, d.tier): d for d in Delivery.objects.filter(kind="outcome")}
    of_real, of_slow = written[ended, "real"], written[ended, "slow"]
    assert of_real.due_at == of_real.created_at
    assert of_slow.due_at == of_slow.created_at + timedelta(seconds=900)
    assert of_slow.expires_at == of_slow.due_at + timedelta(days=1)
    assert written[running, "real"].due_at == running.published_at
    assert written[running, "slow"].due_at == running.published_at + timedelta(seconds=900)
    assert follow_up(signal_ids=[ended.pk, running.pk]) == 0


def test_downgrade_before_the_follow_up_postpones_it(telegram: Controls) -> None:
    signal = sent_signal(telegram)
    outcome_of(signal)
    Subscriber.objects.update(tier=make_tier(code="slow", delay_seconds=600))
    send_until(telegram.url, "SELECT EXISTS (SELECT FROM notifications_delivery WHERE tier = 'slow')")
    row = Delivery.objects.get(kind="outcome")
    assert (row.state, row.due_at) == ("pending", row.created_at + timedelta(seconds=600))
    assert len(telegram.sent()) == 1


@pytest.mark.parametrize("state", ["dead", "expired", "unknown"])
def test_signal_that_nobody_got_for_certain_has_no_follow_up(state: str) -> None:
    make_subscriber()
    signal = make_signal()
    fan_out(signal=signal)
    Delivery.objects.update(state=state)
    make_outcome(signal=signal)
    assert follow_up(signal_ids=[signal.pk]) == 0


def test_signal_that_has_not_ended_has_no_follow_up() -> None:
    make_subscriber()
    signal = make_signal()
    fan_out(signal=signal)
    assert follow_up(signal_ids=[signal.pk]) == 0


def test_follow_up_waits_for_a_signal_on_its_way_and_comes_after_it(telegram: Controls) -> None:
    telegram.open_chats(make_subscriber(tier=make_tier(max_sessions=None)))
    signal = make_signal()
    fan_out(signal=signal)
    Delivery.objects.update(next_attempt_at=datetime.now(UTC) + timedelta(hours=1))
    outcome_of(signal)
    send_until(telegram.url, FOLLOW_UP_WAITS)
    assert telegram.sent() == []
    Delivery.objects.update(next_attempt_at=datetime.now(UTC))
    send_until(telegram.url)
    assert [bool(sent["reply_markup"]) for sent in telegram.sent()] == [True, False]


def test_follow_up_ends_with_a_signal_that_never_arrived(telegram: Controls) -> None:
    make_subscriber(tier=make_tier(max_sessions=None))
    signal = make_signal()
    fan_out(signal=signal)
    outcome_of(signal)
    Delivery.objects.filter(kind="signal").update(state="expired")
    send_until(telegram.url, FOLLOW_UP_SETTLED)
    row = Delivery.objects.get(kind="outcome")
    assert (row.state, row.reason) == ("dead", "signal_not_sent")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "archived"}, "not_active"),
        ({"chat_id": None}, "not_linked"),
        ({"unreachable_reason": "blocked"}, "unreachable"),
        ({"subscription_ends_at": datetime(2026, 1, 1, tzinfo=UTC)}, "subscription_over"),
    ],
)
def test_follow_up_stays_with_whoever_may_hear_nothing_any_more(
    telegram: Controls, change: dict[str, Any], reason: str
) -> None:
    outcome_of(sent_signal(telegram))
    Subscriber.objects.update(**change)
    send_until(telegram.url, FOLLOW_UP_SETTLED)
    assert Delivery.objects.filter(kind="outcome").values_list("state", "reason").get() == ("dead", reason)
    assert len(telegram.sent()) == 1


def test_paused_subscriber_gets_no_follow_up(telegram: Controls) -> None:
    outcome_of(sent_signal(telegram))
    DeliveryPreference.objects.create(
        subscriber=Subscriber.objects.get(), paused_until=datetime.now(UTC) + timedelta(hours=1)
    )
    send_until(telegram.url, FOLLOW_UP_SETTLED)
    assert Delivery.objects.get(kind="outcome").reason == "paused"


def test_choice_of_signals_made_since_hides_no_outcome(telegram: Controls) -> None:
    signal = sent_signal(telegram, confidence=0.6, experimental=False)
    outcome_of(signal)
    subscriber = Subscriber.objects.get()
    Tier.objects.update(max_sessions=1)
    Subscriber.objects.update(risk_profile="low")
    chosen = DeliveryPreference.objects.create(subscriber=subscriber, sessions=["asia"], daily_cap=1)
    chosen.instruments.add(make_instrument())
    send_until(telegram.url, FOLLOW_UP_SETTLED)
    assert Delivery.objects.get(kind="outcome").state == "sent"


def test_quiet_hours_hold_a_follow_up_back_until_they_end(telegram: Controls) -> None:
    outcome_of(sent_signal(telegram))
    now = datetime.now(UTC)
    quiet = DeliveryPreference.objects.create(
        subscriber=Subscriber.objects.get(),
        quiet_from=(now - timedelta(hours=2)).time(),
        quiet_until=(now + timedelta(hours=2)).time(),
    )
    send_until(telegram.url, FOLLOW_UP_WAITS)
    assert Delivery.objects.get(kind="outcome").state == "pending"
    quiet.quiet_from, quiet.quiet_until = time(0), time(0, 0, 0, 1)
    quiet.save()
    Delivery.objects.filter(kind="outcome").update(next_attempt_at=now)
    send_until(telegram.url, FOLLOW_UP_SETTLED)
    assert Delivery.objects.get(kind="outcome").state == "sent"


def test_follow_up_takes_nothing_from_the_daily_number_of_signals() -> None:
    make_subscriber(preference={"daily_cap": 2})
    first = make_signal()
    fan_out(signal=first)
    outcome_of(first)
    assert fan_out(signal=make_signal()) == 1
    assert fan_out(signal=make_signal()) == 0


def test_recorded_outcome_and_its_follow_ups_are_committed_together() -> None:
    instrument = make_instrument()
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=60)
    series = make_series(bars=50, start=start)
    entry = float(series.close[10])
    signal = make_signal(
        instrument=instrument,
        candle_open_time=start + timedelta(hours=10),
        published_at=start + timedelta(hours=11, seconds=1),
        expires_at=datetime.now(UTC) + timedelta(hours=4),
        entry_price=entry,
        stop_loss=entry * 0.99,
        take_profit=entry * 1.01,
    )
    make_subscriber()
    fan_out(signal=signal)
    store(instrument, Timeframe.H1, series)
    moment = {"exchange_code": "binance", "as_of": start + timedelta(hours=50), "now": datetime.now(UTC)}

    def refuse(**announced: Any) -> None:
        raise ZeroDivisionError

    outcomes_recorded.connect(refuse)
    try:
        assert record_outcomes(**moment) == 0
    finally:
        outcomes_recorded.disconnect(refuse)
    assert "ZeroDivisionError" in ItemFailure.objects.get().error
    assert not SignalOutcome.objects.exists()
    assert not Delivery.objects.filter(kind="outcome").exists()

    assert record_outcomes(**moment) == 1
    assert Delivery.objects.get(kind="outcome").signal == signal
    assert record_outcomes(**moment) == 0
    assert Delivery.objects.filter(kind="outcome").count() == 1

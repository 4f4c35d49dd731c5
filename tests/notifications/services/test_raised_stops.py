"""A raised stop reaches those who got the signal, once, and no tier earlier than its delay."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from notifications.models import Delivery
from notifications.services.answers import last_signals
from notifications.services.fan_out import fan_out
from notifications.services.follow_up import tell_raised
from signals.engine.candle import OHLCV
from signals.engine.exit_plan import managed, stops_along
from signals.engine.indicators.volatility import atr
from signals.engine.timeframe import Timeframe
from signals.models import Signal, StopRaise
from signals.selectors import present_stop
from signals.services.stops import record_stops
from tests.factories import make_instrument, store
from tests.notifications.rows import Controls, make_signal, make_subscriber, make_tier, send_until

pytestmark = pytest.mark.django_db(transaction=True)

BAR = timedelta(hours=4)
START = datetime(2025, 1, 1, tzinfo=UTC)
DECIDED = 320  # the row on whose close it was decided
CLOSES = np.concatenate((100 + np.sin(np.arange(DECIDED + 1)), 101 + 2.0 * np.arange(1, 15)))
RISING = OHLCV(
    [int((START + n * BAR).timestamp() * 1000) for n in range(len(CLOSES))],
    CLOSES,
    CLOSES + 1,
    CLOSES - 1,
    CLOSES,
    np.ones(len(CLOSES)),
)
UPDATE_SETTLED = (
    "SELECT EXISTS (SELECT FROM notifications_delivery WHERE kind = 'update' AND state IN ('sent', 'dead'))"
)


def managed_signal() -> Signal:
    instrument = make_instrument()
    store(instrument, Timeframe.H4, RISING)
    close = float(CLOSES[DECIDED])
    plan = managed(stop=close - 10, trail_atr=4.0, longest_hold_bars=120)
    return make_signal(
        instrument=instrument,
        timeframe="4h",
        candle_open_time=START + DECIDED * BAR,
        strategy="volatility_breakout",
        entry_price=close,
        stop_loss=plan.stop,
        take_profit=None,
        plan=plan.as_json(),
    )


def closed(bars: int) -> datetime:
    """When the bars-th bar after the decision has closed."""
    return START + (DECIDED + bars + 1) * BAR


def record(bars: int, now: datetime | None = None) -> int:
    return record_stops(exchange_code="binance", as_of=closed(bars), now=now or datetime.now(UTC))


def test_each_close_that_moves_the_stop_is_a_row_and_a_repeat_writes_nothing() -> None:
    signal = managed_signal()
    ranges = atr(RISING.high, RISING.low, RISING.close, 14)
    expected = stops_along(signal.exit_plan, sign=1, closes=CLOSES[DECIDED:], ranges=ranges[DECIDED:])

    assert record(0) == 0
    for bars in range(1, 15):
        record(bars)
    assert record(14) == 0
    rows = StopRaise.objects.order_by("candle_open_time")
    moved = np.unique(expected[1:][np.diff(expected) != 0])
    assert [row.stop for row in rows] == pytest.approx(moved.tolist())
    first = next(row for row in rows if row.passes_entry)
    assert all(
        row.stop <= signal.entry_price for row in rows if row.candle_open_time < first.candle_open_time
    )


def test_the_update_answers_the_signal_once_when_the_stop_has_passed_the_entry(telegram: Controls) -> None:
    telegram.open_chats(make_subscriber(tier=make_tier(max_sessions=None)))
    signal = managed_signal()
    fan_out(signal=signal)
    send_until(telegram.url)
    for bars in range(1, 15):
        record(bars)
        record(bars)
    assert tell_raised(signal_ids=[signal.pk]) == 0
    send_until(telegram.url, UPDATE_SETTLED)

    first, second = telegram.sent()
    assert second["message"]["reply_to_message"]["message_id"] == first["message_id"]
    passed = StopRaise.objects.filter(passes_entry=True).order_by("candle_open_time")[0]
    text = second["message"]["text"]
    for words in (
        f"Stop beyond the entry: LONG {signal.instrument.symbol} · 4h",
        f"{passed.stop:.3f}",
        "it follows the highest 4h close at 4 average ranges; out after 20 days at the latest",
    ):
        assert words in text


def test_no_tier_learns_of_a_raised_stop_early() -> None:
    free, live = make_tier(delay_seconds=900, max_sessions=None), make_tier(max_sessions=None)
    early, late = make_subscriber(tier=live), make_subscriber(tier=free)
    signal = managed_signal()
    fan_out(signal=signal)
    moment = datetime.now(UTC)
    for bars in range(1, 15):
        record(bars, moment)

    due = {row.subscriber_id: row for row in Delivery.objects.filter(kind="update")}
    assert due[late.pk].due_at - due[early.pk].due_at == timedelta(minutes=15)
    known = present_stop(signal=signal, known_at=moment)
    assert known > signal.entry_price
    assert present_stop(signal=signal, known_at=moment - timedelta(microseconds=1)) == signal.stop_loss

    Delivery.objects.update(state="sent", due_at=moment - timedelta(minutes=20), sent_at=moment)
    answers = {
        person.pk: last_signals(person, chat_id=1, now=moment + timedelta(minutes=10)).html
        for person in (early, late)
    }
    assert f"Stop now <code>{known:.3f}</code>" in answers[early.pk]
    assert "Stop now" not in answers[late.pk]
    assert "Stop now" in last_signals(late, chat_id=1, now=moment + timedelta(minutes=15)).html


def test_a_fixed_signal_has_no_updates() -> None:
    make_signal()
    assert record(14) == 0
    assert not StopRaise.objects.exists()

"""Placing orders: once per intent, checked in the transaction that writes them, held together by the database."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from autopilot.engine.order import OrderPurpose, OrderSide, OrderState, OrderType
from autopilot.engine.preflight import Refusal
from autopilot.models import AccountKind, Fill, Order, Position
from autopilot.services.orders import close_position, withdraw_entries
from signals.models import Action
from signals.services import kill_switch
from tests.autopilot.accounts import HOUR, START, add_candle, decide, make_account, make_traded, step

pytestmark = pytest.mark.django_db


def test_an_order_that_passes_is_open_and_recorded() -> None:
    account, instrument = make_account(), make_traded()
    add_candle(instrument, 0, (100, 101, 99, 100))
    order = decide(account, instrument, quantity=Decimal("1.2345"), stop=Decimal(95), target=Decimal(110))
    assert (order.state, order.quantity, order.number) == (OrderState.OPEN, Decimal("1.234"), 1)
    action = Action.objects.get(what="order.placed")
    assert (action.target, action.after["quantity"]) == (order.client_order_id, "1.234")


def test_the_same_intent_twice_is_one_order() -> None:
    account, instrument = make_account(), make_traded()
    add_candle(instrument, 0, (100, 101, 99, 100))
    assert decide(account, instrument).pk == decide(account, instrument).pk
    assert Order.objects.count() == Action.objects.filter(what="order.placed").count() == 1


@pytest.mark.parametrize(
    ("values", "account_values", "instrument_values", "reason"),
    [
        ({"quantity": Decimal("0.0004")}, {}, {}, Refusal.LESS_THAN_ONE_LOT),
        ({"quantity": Decimal("0.009")}, {}, {}, Refusal.BELOW_MINIMUM_VALUE),
        ({"quantity": Decimal("0.04")}, {}, {"minimum_notional": Decimal(5)}, Refusal.BELOW_MINIMUM_VALUE),
        (
            {"quantity": Decimal("0.04")},
            {},
            {"minimum_amount": Decimal("0.05")},
            Refusal.BELOW_MINIMUM_AMOUNT,
        ),
        ({"quantity": Decimal(101)}, {}, {}, Refusal.INSUFFICIENT_FUNDS),
        ({"quantity": Decimal(100)}, {}, {"taker_bps": Decimal(10)}, Refusal.INSUFFICIENT_FUNDS),
        ({"side": OrderSide.SELL}, {}, {"market_type": "spot"}, Refusal.NO_POSITION),
        ({"side": OrderSide.SELL, "purpose": OrderPurpose.SIGNAL_EXIT}, {}, {}, Refusal.NO_POSITION),
        ({"stop": Decimal(101)}, {}, {}, Refusal.LEVELS_OUT_OF_ORDER),
        ({"side": OrderSide.SELL, "target": Decimal(101)}, {}, {}, Refusal.LEVELS_OUT_OF_ORDER),
        ({"late": 2 * HOUR + timedelta(seconds=1)}, {}, {}, Refusal.STALE_DATA),
        ({"quantity": Decimal(51)}, {"max_exposure": Decimal("0.5")}, {}, Refusal.EXPOSURE),
        ({}, {"max_trades_a_day": 0}, {}, Refusal.TRADES_TODAY),
        ({}, {"max_positions": 0}, {}, Refusal.TOO_MANY_POSITIONS),
        ({}, {"is_open": False}, {}, Refusal.ACCOUNT_CLOSED),
        ({}, {"currency": "EUR"}, {}, Refusal.WRONG_CURRENCY),
        ({"is_calibrated": True}, {"kind": AccountKind.LIVE}, {}, Refusal.UNPROVEN),
        (
            {"is_calibrated": True, "is_proven": True},
            {"kind": AccountKind.LIVE},
            {},
            Refusal.LIVE_NOT_AVAILABLE,
        ),
        (
            {"is_calibrated": True, "is_proven": True},
            {"kind": AccountKind.LIVE},
            {"market_type": "spot"},
            Refusal.NO_KEY,
        ),
        ({}, {"kind": AccountKind.LIVE}, {}, Refusal.UNCALIBRATED),
        (
            {"is_fallback": True, "is_calibrated": True},
            {"kind": AccountKind.LIVE},
            {},
            Refusal.FALLBACK_DECISION,
        ),
    ],
)
def test_what_cannot_be_traded_is_refused_with_its_reason(
    values: dict, account_values: dict, instrument_values: dict, reason: Refusal
) -> None:
    account, instrument = make_account(**account_values), make_traded(**instrument_values)
    add_candle(instrument, 0, (100, 101, 99, 100))
    order = decide(account, instrument, **values)
    assert (order.state, order.reason_code, order.reason) == (OrderState.REFUSED, reason, reason.sentence)
    assert Action.objects.filter(what="order.refused", after__reason=reason.value).exists()


def test_the_kill_switch_refuses_entries_and_lets_a_position_be_closed() -> None:
    account, instrument = make_account(), make_traded()
    for hour in range(3):
        add_candle(instrument, hour, (100, 101, 99, 100))
    decide(account, instrument)
    step(instrument, 1)
    kill_switch.engage(reason="test", by="test", now=START)
    assert decide(account, instrument, 1, level=1).reason_code == Refusal.KILL_SWITCH
    assert close_position(
        account=account, instrument=instrument, candle_open_time=START + HOUR, now=START + 2 * HOUR, by="test"
    )
    step(instrument, 2)
    assert Position.objects.get().quantity == 0


def test_a_second_order_for_the_same_purpose_is_refused_by_preflight_and_by_the_database() -> None:
    account, instrument = make_account(), make_traded()
    add_candle(instrument, 0, (100, 101, 99, 100))
    first = decide(account, instrument, order_type=OrderType.LIMIT, price=Decimal(90))
    second = decide(account, instrument, key="another", order_type=OrderType.LIMIT, price=Decimal(91))
    assert second.reason_code == Refusal.ALREADY_OPEN
    with pytest.raises(IntegrityError, match="autopilot_order_one_open_intent"), transaction.atomic():
        Order.objects.filter(pk=second.pk).update(state="open", ended_at=None)
    assert withdraw_entries(
        account=account, instrument=instrument, reason="test", now=START + HOUR, by="test"
    )
    first.refresh_from_db()
    assert (first.state, first.remaining) == (OrderState.CANCELLED, 0)


def test_a_position_that_is_not_the_sum_of_its_fills_cannot_be_committed() -> None:
    account, instrument = make_account(), make_traded()
    for hour in range(2):
        add_candle(instrument, hour, (100, 101, 99, 100))
    decide(account, instrument)
    step(instrument, 1)
    assert (Position.objects.get().quantity, Fill.objects.count()) == (1, 1)
    Position.objects.update(quantity=2)
    with (
        pytest.raises(IntegrityError, match="fills sum up to"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    Position.objects.update(quantity=1)


def test_fills_are_never_changed_nor_told_twice() -> None:
    account, instrument = make_account(), make_traded()
    for hour in range(2):
        add_candle(instrument, hour, (100, 101, 99, 100))
    decide(account, instrument)
    step(instrument, 1)
    fill = Fill.objects.get()
    with pytest.raises(Exception, match="Cannot update or delete"), transaction.atomic():
        Fill.objects.update(price=1)
    fill.pk = None
    with pytest.raises(IntegrityError, match="autopilot_fill_once_per_bar"), transaction.atomic():
        fill.save(force_insert=True)

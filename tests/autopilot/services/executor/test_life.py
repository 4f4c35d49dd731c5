"""An order's life at the exchange: sent once, believed only by the exchange's own word, protected, compared."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from autopilot.api.views import configuration
from autopilot.clients.exchange import redirected
from autopilot.engine.order import OrderSide, OrderState, OrderType
from autopilot.engine.preflight import Refusal
from autopilot.models import Fill, LiveOrder, LiveTrade, Order, Position, Reconciliation, SymbolFreeze, Trade
from autopilot.selectors import cash_of
from autopilot.services.instances import LiveNotAvailableError, start_instance
from autopilot.services.live.freezes import accept_difference
from autopilot.services.live.intents import DecisionError, decide_unknown
from autopilot.services.live.stops import move_stop
from autopilot.services.orders import close_position
from signals.engine.exit_plan import managed
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle
from signals.models import Alarm, StopRaise
from signals.services import kill_switch
from tests.autopilot.services.executor.exchange import Hands
from tests.notifications.rows import make_signal

pytestmark = pytest.mark.django_db


def by_hand(hands: Hands) -> Any:
    """The same account in somebody else's hands."""
    markets = {"types": ["spot"]}
    options = {"fetchMargins": False, "fetchCurrencies": False, "fetchMarkets": markets}
    client = ccxt.binance({"apiKey": hands.key, "secret": "canary-secret", "options": options})
    client.urls["api"] = redirected(client.urls["api"], f"{hands.far.url}/binance")
    return client


def venue_orders(hands: Hands) -> list:
    return hands.far.book(hands.key)["orders"]


def live(order: Order) -> LiveOrder:
    return LiveOrder.objects.get(pk=order.pk)


def test_order_is_sent_once_filled_and_booked(hands: Hands) -> None:
    hands.ready()
    order = hands.order("0.01")
    assert (order.state, order.reason_code) == (OrderState.OPEN, "")
    hands.turn(3)
    order.refresh_from_db()
    position = Position.objects.get()
    assert (order.state, live(order).state, order.filled) == ("filled", "filled", Decimal("0.01"))
    assert position.quantity == Decimal("0.00999")  # the fee was taken from what was bought
    assert cash_of(hands.account) == 1_000_000 - 500
    assert [each["client_id"] for each in venue_orders(hands)] == [order.client_order_id]
    assert [event.state for event in live(order).events.all()] == ["new", "submitting", "filled"]
    assert Reconciliation.objects.get().is_clean


@pytest.mark.parametrize("kind", ["502", "close"])
def test_accepted_order_without_an_answer_is_unknown_then_found(hands: Hands, kind: str) -> None:
    hands.ready()
    hands.far.fault(kind)
    order = hands.order("0.01")
    hands.turn(seconds=0)
    assert live(order).state == "unknown"
    assert SymbolFreeze.objects.filter(lifted_at=None, order=order).exists()
    assert hands.order("0.01", key="again", level=1).reason_code == Refusal.SYMBOL_FROZEN
    assert hands.order("0.1", instrument=hands.instrument_of("ETH/USDT")).is_open  # the others go on
    hands.turn(2)
    order.refresh_from_db()
    assert (order.state, [each["symbol"] for each in venue_orders(hands)]) == (
        "filled",
        ["BTCUSDT", "ETHUSDT"],
    )
    assert not SymbolFreeze.objects.filter(lifted_at=None).exists()
    assert Position.objects.get(instrument=hands.instrument).quantity == Decimal("0.00999")


def test_connection_cut_within_tls_leaves_the_order_unknown_then_found(
    hands: Hands, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccxt.binance, "validateServerSsl", str(hands.far.certificate), raising=False)
    settings.EXCHANGE_API_URL = f"{hands.far.tls_url}/binance"
    settings.LIVE_CALL_TIMEOUT_MS = 5000
    hands.ready()
    hands.far.fault("close")
    order = hands.order("0.01")
    hands.turn(3)
    assert [event.state for event in live(order).events.all()] == ["new", "submitting", "unknown", "filled"]
    assert len(venue_orders(hands)) == 1


@pytest.mark.parametrize("kind", ["500"])
def test_order_that_never_arrived_stays_unknown_until_a_person_decides(hands: Hands, kind: str) -> None:
    hands.ready()
    hands.far.fault(kind)
    order = hands.order("0.01")
    hands.turn(4, seconds=20)
    assert (live(order).state, venue_orders(hands)) == ("unknown", [])
    with pytest.raises(DecisionError):
        decide_unknown(live_id=order.pk, note="not there", by="ada", now=hands.now())
    hands.turn(4, seconds=301)
    assert live(order).state == "unknown"  # time alone ends nothing
    decide_unknown(live_id=order.pk, note="not there", by="ada", now=hands.now())
    order.refresh_from_db()
    assert (order.state, live(order).state, live(order).decided_by) == ("cancelled", "decided", "ada")
    assert not SymbolFreeze.objects.filter(lifted_at=None).exists()


def test_position_can_be_left_again_after_a_person_ended_its_unknown_exit(hands: Hands) -> None:
    hands.ready()
    hands.order("0.01")
    hands.turn(2)
    position = Position.objects.get()
    leave = {
        "account": hands.account,
        "instrument": hands.instrument,
        "candle_open_time": position.clock,
        "by": "ada",
    }
    hands.far.fault("500")
    lost = close_position(**leave, now=hands.now())
    assert lost is not None
    hands.turn(4, seconds=301)
    decide_unknown(live_id=lost.pk, note="not there", by="ada", now=hands.now())
    assert close_position(**leave, now=hands.now()) is not None
    hands.turn(2)
    assert Position.objects.get().quantity == 0


@pytest.mark.parametrize("kind", ["429"])
def test_exchange_that_asks_for_quiet_refused_the_order_and_is_left_alone(hands: Hands, kind: str) -> None:
    hands.ready()
    hands.far.fault(kind, retry_after=30)
    order = hands.order("0.01")
    hands.turn(seconds=0)
    assert live(order).state == "refused"
    second = hands.order("0.01", key="second")
    hands.turn(seconds=20)
    assert live(second).state == "new"
    hands.turn(2, seconds=20)
    assert live(second).state == "filled"


def test_refusal_of_the_exchange_ends_the_order(hands: Hands) -> None:
    hands.far.open_account(key=hands.key, secret="canary-secret", balances={"USDT": "10"})
    hands.ready()
    order = hands.order("0.01")
    hands.turn(2)
    order.refresh_from_db()
    assert (order.state, live(order).state) == (OrderState.REJECTED, "refused")
    assert "insufficient" in live(order).detail


@pytest.mark.slow
def test_hidden_order_is_not_taken_for_missing(hands: Hands) -> None:
    hands.ready()
    hands.far.lie(hidden_probability=1, hidden_seconds=1.5)
    hands.far.fault("502")
    order = hands.order("0.01")
    hands.turn(2, seconds=1)
    assert live(order).state == "unknown"
    hands.far.lie(hidden_probability=0)
    while live(order).state == "unknown":
        hands.turn(seconds=60)
    assert live(order).state == "filled"
    assert len(venue_orders(hands)) == 1


def test_fills_told_twice_and_mixed_are_booked_once(hands: Hands) -> None:
    hands.far.lie(split_fills=5, duplicate_fills=True, reorder_fills=True)
    hands.ready()
    hands.order("0.01")
    hands.turn(3)
    assert (Fill.objects.count(), LiveTrade.objects.count()) == (5, 5)
    assert Position.objects.get().quantity == Decimal("0.00999")
    assert Reconciliation.objects.get().is_clean


def test_partial_fill_is_kept_through_a_cancel(hands: Hands) -> None:
    hands.far.lie(partial_probability=1, partial_seconds=600)
    hands.ready()
    order = hands.order("0.01", order_type=OrderType.LIMIT, price=Decimal(50_000))
    hands.turn(2)
    assert live(order).state == "part_filled"
    kill_switch.reduce_only(reason="test", by="ada", now=hands.now())
    hands.turn(3)
    order.refresh_from_db()
    assert (order.state, order.reason_code, order.filled) == ("cancelled", "kill_switch", Decimal("0.005"))
    assert Position.objects.get().quantity == Decimal("0.004995")


def test_position_is_protected_by_a_stop_that_moves_and_leaves_with_it(hands: Hands) -> None:
    hands.ready()
    hands.order("0.01", stop=Decimal(48_000))
    hands.turn(2)
    (stop,) = [each for each in venue_orders(hands) if each["type"] == "STOP_LOSS"]
    assert (stop["side"], Decimal(stop["quantity"])) == ("SELL", Decimal("0.00999"))
    position = Position.objects.get()
    assert move_stop(position=position, price=Decimal(49_000), by="managed exit", now=hands.now())
    hands.turn(2)
    stops = [each for each in venue_orders(hands) if each["type"] == "STOP_LOSS"]
    assert [(each["status"], Decimal(each["stop"])) for each in stops] == [
        ("CANCELED", Decimal(48_000)),
        ("NEW", Decimal(49_000)),
    ]
    close_position(
        account=hands.account,
        instrument=hands.instrument,
        candle_open_time=position.clock,
        now=hands.now(),
        by="ada",
    )
    hands.turn(4)
    assert Position.objects.get().quantity == 0
    assert Trade.objects.get().exit_reason == "signal"
    assert [each["status"] for each in venue_orders(hands)] == ["FILLED", "CANCELED", "CANCELED", "FILLED"]
    assert Reconciliation.objects.get().is_clean


def test_stop_that_is_moved_above_the_market_leaves_at_the_market(hands: Hands) -> None:
    """The exchange refuses it: it would trigger at once. That is what a stop beyond the price means."""
    hands.ready()
    hands.order("0.01", stop=Decimal(48_000))
    hands.turn(2)
    move_stop(position=Position.objects.get(), price=Decimal(50_500), by="managed exit", now=hands.now())
    hands.turn(4)
    assert Position.objects.get().quantity == 0
    assert Trade.objects.get().exit_reason == "stop"
    refused = LiveOrder.objects.get(state="refused")
    assert "trigger" in refused.detail
    assert not LiveOrder.objects.alive().exists()
    assert Reconciliation.objects.get().is_clean


def test_stop_that_the_exchange_fills_ends_the_position(hands: Hands) -> None:
    hands.ready()
    hands.order("0.01", stop=Decimal(48_000))
    hands.turn(2)
    hands.far.price("47000")
    hands.turn(2)
    assert Position.objects.get().quantity == 0
    assert Trade.objects.get().exit_reason == "stop"


def test_executor_that_died_while_sending_asks_before_it_goes_on(hands: Hands) -> None:
    hands.ready()
    order = hands.order("0.01")
    LiveOrder.objects.filter(pk=order.pk).update(
        state="submitting", submitted_at=hands.now(), sent_quantity=order.quantity
    )
    hands.restart()
    assert live(order).state == "unknown"
    assert not hands.account.armings.in_force(hands.now()).exists()
    hands.turn(2)
    assert (live(order).state, venue_orders(hands)) == ("unknown", [])


def test_foreign_order_is_shown_and_manual_trade_freezes(hands: Hands) -> None:
    hands.ready()
    hands.order("0.01")
    hands.turn(2)
    client = by_hand(hands)
    client.create_order("BTC/USDT", "limit", "buy", 0.01, 40_000)
    hands.turn(2)
    report = Reconciliation.objects.get()
    assert (report.is_clean, len(report.external_orders)) == (True, 1)
    client.create_order("BTC/USDT", "market", "sell", 0.001)
    hands.turn(3)
    report = Reconciliation.objects.get()
    assert not report.is_clean
    assert SymbolFreeze.objects.get(lifted_at=None).cause == "position_differs"
    assert LiveTrade.objects.filter(fill=None).count() == 1
    statuses = [each["status"] for each in venue_orders(hands)]
    assert statuses == ["FILLED", "NEW", "FILLED"]  # theirs still stands
    (alarm,) = Alarm.objects.filter(cleared_at=None)
    assert "BTC/USDT: the exchange holds something else" in alarm.detail
    freeze = SymbolFreeze.objects.get(lifted_at=None)
    accept_difference(freeze=freeze, note="sold by hand", by="ada", now=hands.now())
    hands.turn(2)
    assert not Alarm.objects.filter(cleared_at=None).exists()
    assert Reconciliation.objects.get().is_clean


def test_clock_that_is_wrong_refuses_entries(hands: Hands) -> None:
    hands.ready()
    hands.far.lie(skew_ms=1500)
    hands.turn(1)
    assert hands.order("0.01").reason_code == Refusal.NOT_RECONCILED


def test_exit_passes_when_halted_and_entries_do_not(hands: Hands) -> None:
    hands.ready()
    hands.order("0.01")
    hands.turn(2)
    kill_switch.engage(reason="test", by="ada", now=hands.now())
    assert hands.order("0.01", key="next").reason_code == Refusal.KILL_SWITCH
    position = Position.objects.get()
    close_position(
        account=hands.account,
        instrument=hands.instrument,
        candle_open_time=position.clock,
        now=hands.now(),
        by="ada",
    )
    hands.turn(3)
    assert Position.objects.get().quantity == 0


def test_intent_written_before_the_halt_is_dropped(hands: Hands) -> None:
    hands.ready()
    order = hands.order("0.01")
    kill_switch.engage(reason="test", by="ada", now=hands.now())
    hands.turn(2)
    assert (live(order).state, live(order).detail, venue_orders(hands)) == ("dropped", "kill_switch", [])


def test_autopilot_is_live_where_every_lock_is_open_and_is_told_the_one_that_is_shut(hands: Hands) -> None:
    asked = {"instrument": hands.instrument, "timeframe": Timeframe.H1, "by": "ada", "paper_trading": False}
    hands.executor.start()
    hands.turn()
    with pytest.raises(LiveNotAvailableError, match="not_armed"):
        start_instance(**asked, now=hands.now())
    hands.arm()
    instance, _ = start_instance(**asked, now=hands.now())
    assert instance.account == hands.account
    assert configuration(instance)["paper_trading"] is False
    hands.restart()
    assert not hands.account.armings.in_force(hands.now()).exists()


@pytest.mark.parametrize("side", [OrderSide.BUY])
def test_short_and_unarmed_entries_are_refused(hands: Hands, side: OrderSide) -> None:
    hands.executor.start()
    hands.turn()
    assert hands.order("0.01", side=side).reason_code == Refusal.NOT_ARMED


def test_key_that_may_withdraw_is_refused_and_forgotten(hands: Hands) -> None:
    hands.far.open_account(key=hands.key, secret="canary-secret", can_withdraw=True)
    hands.executor.start()
    hands.turn()
    key = hands.account.exchange_key
    key.refresh_from_db()
    assert (key.state, bytes(key.ciphertext)) == ("refused", b"")


def candle(hands: Hands, high: float) -> None:
    """The hour that closed last, with that high."""
    opened = hands.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    Candle.objects.update_or_create(
        instrument=hands.instrument,
        timeframe="1h",
        open_time=opened,
        defaults={"open": 50_000.0, "high": high, "low": 49_000.0, "close": 50_500.0, "volume": 1.0},
    )


def test_stop_trails_and_target_and_time_end_the_position(hands: Hands) -> None:
    hands.ready()
    values = {"stop": Decimal(48_000), "trail": Decimal(1500), "target": Decimal(53_000)}
    hands.order("0.01", **values)
    hands.turn(2)
    hands.wait(2 * 3600)
    candle(hands, 51_000)
    hands.turn(2)
    stops = [each for each in venue_orders(hands) if each["status"] == "NEW"]
    assert [Decimal(each["stop"]) for each in stops] == [Decimal(49_500)]
    point = hands.account.equity_points.latest("at")
    assert point.equity == cash_of(hands.account) + Decimal("0.00999") * 50_500
    candle(hands, 53_100)
    hands.turn(3)
    assert Position.objects.get().quantity == 0
    assert Trade.objects.get().exit_reason == "target"


def test_entry_that_is_not_filled_in_time_is_taken_out(hands: Hands) -> None:
    hands.ready()
    order = hands.order("0.01", order_type=OrderType.LIMIT, price=Decimal(45_000), good_bars=1)
    hands.turn(1)
    assert live(order).state == "acked"
    hands.wait(2 * 3600)
    hands.turn(2)
    order.refresh_from_db()
    assert (order.state, order.reason_code) == ("cancelled", "lapsed")


def test_stop_at_the_exchange_follows_its_signals_exit_plan_and_ends_with_it(hands: Hands) -> None:
    hands.ready()
    order = hands.order("0.01", stop=Decimal(48_000))
    plan = managed(stop=48_000.0, trail_atr=2.0, longest_hold_bars=3)
    signal = make_signal(
        instrument=hands.instrument,
        entry_price=50_000.0,
        stop_loss=48_000.0,
        take_profit=None,
        plan=plan.as_json(),
    )
    Order.objects.filter(pk=order.pk).update(signal=signal)
    hands.turn(2)
    for hours, stop in ((0, 49_000.0), (1, 49_500.017)):
        closed = signal.candle_open_time + timedelta(hours=hours)
        StopRaise.objects.create(
            signal=signal, candle_open_time=closed, stop=stop, passes_entry=False, recorded_at=hands.now()
        )
        hands.turn(2)
    stops = [each for each in venue_orders(hands) if each["type"] == "STOP_LOSS"]
    assert [(each["status"], Decimal(each["stop"])) for each in stops] == [
        ("CANCELED", Decimal(48_000)),
        ("CANCELED", Decimal(49_000)),
        ("NEW", Decimal("49500.01")),
    ]
    hands.wait(3 * 3600)
    hands.turn(4)
    assert Position.objects.get().quantity == 0
    assert Trade.objects.get().exit_reason == "time"


def test_stop_that_stands_higher_than_the_plan_says_stays(hands: Hands) -> None:
    hands.ready()
    order = hands.order("0.01", stop=Decimal(49_800))
    signal = make_signal(instrument=hands.instrument)
    Order.objects.filter(pk=order.pk).update(signal=signal)
    StopRaise.objects.create(
        signal=signal,
        candle_open_time=signal.candle_open_time,
        stop=49_000.0,
        passes_entry=False,
        recorded_at=hands.now(),
    )
    hands.turn(4)
    stops = [Decimal(each["stop"]) for each in venue_orders(hands) if each["type"] == "STOP_LOSS"]
    assert stops == [Decimal(49_800)]

"""From a published signal to the order that is asked for: its size under dynamic risk, its kind, its exits."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from autopilot.engine.market import MANAGED_ENTRY_BARS
from autopilot.engine.order import OrderSide, OrderType
from autopilot.engine.order_type import TypeAndPrice, order_type_and_price
from autopilot.engine.risk import dynamic_risk, most_quantity
from autopilot.models import Account, Instance
from autopilot.selectors import (
    cash_of,
    exposure_of,
    held_worth,
    peak_equity,
    waiting_entries,
    worth_of_orders,
)
from autopilot.services.book_rows import steps_of
from autopilot.services.order_request import OrderRequest
from signals.engine.direction import Direction
from signals.engine.sizing import position_size
from signals.engine.strategy import StrategySignal
from signals.engine.timeframe import Timeframe

LEAST_LEFT = Decimal("0.5")  # of the way from entry to stop, where a limit order waits


def order_request(
    *,
    instance: Instance,
    signal: StrategySignal,
    deviation: float | None,
    is_fallback: bool,
    is_calibrated: bool,
    is_proven: bool = False,
    attempt: int = 0,
) -> tuple[OrderRequest, dict[str, Any]]:
    """What to ask for, and how its size was found. A size of zero is asked for as well: pre-flight says why not."""
    account, instrument = instance.account, instance.instrument
    equity, peak = equity_now(account), peak_equity(account)
    risk = dynamic_risk(
        base=instance.risk_fraction,
        deviation=deviation,
        bar_seconds=Timeframe(instance.timeframe).seconds,
        equity=equity,
        peak=max(peak, equity),
        limit=account.max_drawdown,
    )
    entry, stop = Decimal(repr(signal.entry_price)), Decimal(repr(signal.stop_loss))
    quantity = Decimal(0)
    caps: dict[str, str] = {}
    if equity > 0:
        sized = position_size(
            capital=equity, risk_fraction=Decimal(repr(risk.fraction)), entry_price=entry, stop_loss=stop
        )
        quantity = sized.quantity
        for name, worth in _caps(account, equity, risk.most_worth).items():
            capped = most_quantity(max(worth, Decimal(0)), entry)
            if capped < quantity:
                quantity, caps = capped, {"capped_by": name}
    side = OrderSide.BUY if signal.direction is Direction.LONG else OrderSide.SELL
    placed = order_type_and_price(
        side=side, strength=signal.confidence, price=entry, tick=steps_of(instrument, entry).tick
    )
    if placed.price is not None and side.sign * (placed.price - stop) < LEAST_LEFT * abs(entry - stop):
        placed = TypeAndPrice(OrderType.MARKET, None)  # a limit so near the stop would be another trade
    plan = signal.exit_plan
    if plan.is_managed:  # it is measured from the next open on, and not worth waiting for
        placed = TypeAndPrice(OrderType.MARKET, None)
    request = OrderRequest(
        side=side,
        order_type=placed.order_type,
        price=placed.price,
        quantity=quantity,
        stop=stop,
        target=None if signal.take_profit is None else Decimal(repr(signal.take_profit)),
        trail_atr=plan.trail_atr,
        good_bars=MANAGED_ENTRY_BARS if plan.is_managed else instance.limit_bars,
        hold_bars=plan.longest_hold_bars or instance.hold_bars,
        strategy=signal.strategy,
        strength=signal.confidence,
        is_fallback=is_fallback,
        is_calibrated=is_calibrated,
        is_proven=is_proven,
        attempt=attempt,
        key="autopilot",
    )
    return request, {**asdict(risk), "equity": f"{equity:.2f}", "quantity": f"{quantity:f}", **caps}


def equity_now(account: Account) -> Decimal:
    return cash_of(account) + held_worth(list(account.positions.exclude(quantity=0)))


def _caps(account: Account, equity: Decimal, most_worth: float | None) -> dict[str, Decimal]:
    """The most that the position may be worth, by what says so."""
    caps = {}
    if most_worth is not None:
        caps["volatility target"] = equity * Decimal(repr(most_worth))
    if account.max_exposure is not None:
        share = account.max_exposure * equity / (account.max_positions or 1)
        taken = exposure_of(list(account.positions.exclude(quantity=0))) + worth_of_orders(
            waiting_entries(account)
        )
        caps["its share of the allowed exposure"] = share
        caps["what is left of the allowed exposure"] = account.max_exposure * equity - taken
    caps["free cash"] = max(cash_of(account), Decimal(0)) * Decimal("0.99")  # room for the fee
    return caps

"""A live account in the middle of its day, as rows: a key, an arming, a filled order, one of unknown fate."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from autopilot.models import (
    Account,
    AccountKind,
    ExchangeKey,
    Holding,
    KeySecret,
    LiveArming,
    LiveOrder,
    LiveOrderEvent,
    LiveTrade,
    Order,
    Reconciliation,
    SymbolFreeze,
)
from signals.market.models import Exchange, Instrument
from tests.autopilot.accounts import make_account

BOOT = UUID("5f0c1c1e-7c57-4a47-9d5e-3a1b9a6d1f00")


def live_day(*, bought: Instrument, unsure: Instrument, now: datetime) -> Account:
    """Of an exchange called Binance; each table of live trading has a row."""
    exchange = Exchange.objects.get(pk=bought.exchange_id)
    account = make_account(kind=AccountKind.LIVE, name="Binance live", cash=Decimal(10_000))
    key = ExchangeKey.objects.create(
        account=account,
        exchange=exchange,
        key_id="1a2b3c4d",
        shown="9f3a",
        state="usable",
        ip_restricted=True,
        stored_by="ada",
        stored_at=now - timedelta(days=2),
        checked_at=now - timedelta(days=2),
    )
    KeySecret.objects.create(key=key, ciphertext=b"sealed")
    LiveArming.objects.create(
        account=account,
        reason="A week on paper agreed with its backtest.",
        requested_by="ada",
        requested_at=now - timedelta(hours=1),
        confirmed_by="bob",
        confirmed_at=now - timedelta(minutes=55),
        expires_at=now + timedelta(hours=7),
    )
    Holding.objects.create(
        account=account, asset="BNB", quantity=Decimal("1.5"), since=now, accepted_by="executor"
    )
    filled = _order(account, bought, "0.05", now - timedelta(minutes=40), "filled", trade="1001")
    LiveTrade.objects.create(
        account=account,
        exchange=exchange,
        instrument=bought,
        trade_id="77001",
        venue_order_id=filled.venue_order_id,
        side="buy",
        quantity=Decimal("0.05"),
        price=Decimal(67_000),
        fee=Decimal("0.00005"),
        fee_asset=bought.base,
        traded_at=now - timedelta(minutes=40),
        recorded_at=now - timedelta(minutes=40),
    )
    lost = _order(account, unsure, "0.4", now - timedelta(minutes=2), "unknown", looks=3)
    SymbolFreeze.objects.create(
        account=account,
        instrument=unsure,
        order=lost.order,
        cause="unknown_order",
        note="No answer came within 10 s.",
        frozen_at=now - timedelta(minutes=2),
    )
    Reconciliation.objects.create(
        account=account,
        at=now - timedelta(seconds=3),
        boot=BOOT,
        is_clean=False,
        clock_offset_ms=12,
        findings=["An order's fate is unknown: its instrument is frozen."],
        external_orders=[
            {
                "side": "sell",
                "quantity": "1",
                "symbol": "BNB/USDT",
                "price": "700",
                "type": "limit",
                "id": "88",
            }
        ],
        balances=[{"asset": bought.base, "owned": "0.04995", "expected": "0.04995"}],
    )
    return account


def _order(
    account: Account,
    instrument: Instrument,
    quantity: str,
    at: datetime,
    state: str,
    *,
    trade: str = "",
    **values: Any,
) -> LiveOrder:
    """A market entry with its steps at the exchange."""
    is_filled = state == "filled"
    opened = at.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    position = account.positions.create(
        instrument=instrument, timeframe="1h", tick=Decimal("0.01"), lot=Decimal("0.00001"), clock=opened
    )
    order = Order.objects.create(
        account=account,
        instrument=instrument,
        position=position,
        client_order_id=f"cp{instrument.base.lower()}{at:%H%M%S}",
        timeframe="1h",
        side="buy",
        type="market",
        purpose="entry",
        state="filled" if is_filled else "open",
        quantity=Decimal(quantity),
        remaining=Decimal(0 if is_filled else quantity),
        filled=Decimal(quantity if is_filled else 0),
        candle_open_time=opened,
        active_from=opened,
        placed_at=at,
        ended_at=at if is_filled else None,
    )
    live = LiveOrder.objects.create(
        order=order,
        account=account,
        instrument=instrument,
        state=state,
        venue_order_id=trade,
        sent_quantity=Decimal(quantity),
        filled=order.filled,
        detail="" if is_filled else "No answer: RequestTimeout.",
        written_at=at,
        submitted_at=at,
        ended_at=order.ended_at,
        **values,
    )
    for step in ("new", "submitting", state):
        LiveOrderEvent.objects.create(live_order=live, state=step, at=at)
    return live

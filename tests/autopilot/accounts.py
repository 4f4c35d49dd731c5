"""Rows for tests of orders and the paper broker; every value may be given, none need be."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from autopilot.engine.order import OrderSide, OrderType
from autopilot.models import Account, Order
from autopilot.services.accounts import open_account
from autopilot.services.order_request import OrderRequest
from autopilot.services.orders import place_order
from autopilot.services.paper import fill_orders
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Instrument
from tests.factories import make_instrument

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
_numbers = count(1)
LIMITS = (
    "max_exposure",
    "max_daily_loss",
    "max_drawdown",
    "max_correlation",
    "cooldown_seconds",
    "max_trades_a_day",
    "max_positions",
)
NO_LIMITS: dict[str, Any] = dict.fromkeys(LIMITS)


def make_account(**values: Any) -> Account:
    given = {"name": f"Paper {next(_numbers)}", "currency": "USDT", "cash": Decimal(10_000), **NO_LIMITS}
    return open_account(**given | {"by": "test", "now": START} | values)


def make_traded(**values: Any) -> Instrument:
    given = {"tick_size": Decimal("0.01"), "lot_step": Decimal("0.001"), "market_type": "margin"}
    free = {"maker_bps": Decimal(0), "taker_bps": Decimal(0), "slippage_bps": Decimal(0)}
    return make_instrument(**given | free | values)


def add_candle(instrument: Instrument, hour: int, prices: tuple[float, ...], volume: float = 100.0) -> Candle:
    """open, high, low and close of the hour that opens `hour` hours after START."""
    opened, high, low, close = prices
    return Candle.objects.create(
        instrument=instrument,
        timeframe="1h",
        open_time=START + hour * HOUR,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
    )


def decide(account: Account, instrument: Instrument, hour: int = 0, **values: Any) -> Order:
    """Place an order at the close of that hour's candle."""
    late = values.pop("late", timedelta(0))
    given = {"side": OrderSide.BUY, "order_type": OrderType.MARKET, "quantity": Decimal(1)}
    moment = START + (hour + 1) * HOUR + late
    return place_order(
        account=account,
        instrument=instrument,
        timeframe=Timeframe.H1,
        candle_open_time=START + hour * HOUR,
        request=OrderRequest(**given | values),
        as_of=moment,
        now=moment,
        by="test",
    )


def step(instrument: Instrument, hour: int) -> int:
    """Let the broker work at the close of that hour's candle."""
    moment = START + (hour + 1) * HOUR
    return fill_orders(instrument=instrument, timeframe=Timeframe.H1, as_of=moment, now=moment)

"""Accounts and what they trade, and the autopilots that decide it. Money is exact, balances are sums of rows."""

from autopilot.models.account import Account, AccountKind
from autopilot.models.balance import BalanceEntry, BalanceKind, EquityPoint
from autopilot.models.bootstrap_config import BootstrapConfig
from autopilot.models.decision import Decision
from autopilot.models.fill import Fill
from autopilot.models.instance import Instance, InstanceQuerySet
from autopilot.models.live_account import (
    ExchangeKey,
    FreezeCause,
    Holding,
    KeySecret,
    KeyState,
    LiveArming,
    Reconciliation,
    SymbolFreeze,
)
from autopilot.models.live_order import LiveOrder, LiveOrderEvent, LiveTrade
from autopilot.models.order import Order, OrderQuerySet
from autopilot.models.position import Position, PositionQuerySet
from autopilot.models.trade import Trade

__all__ = [
    "Account",
    "AccountKind",
    "BalanceEntry",
    "BalanceKind",
    "BootstrapConfig",
    "Decision",
    "EquityPoint",
    "ExchangeKey",
    "Fill",
    "FreezeCause",
    "Holding",
    "Instance",
    "InstanceQuerySet",
    "KeySecret",
    "KeyState",
    "LiveArming",
    "LiveOrder",
    "LiveOrderEvent",
    "LiveTrade",
    "Order",
    "OrderQuerySet",
    "Position",
    "PositionQuerySet",
    "Reconciliation",
    "SymbolFreeze",
    "Trade",
]

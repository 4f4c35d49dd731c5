"""Accounts and what they trade: orders, fills, positions, trades. Money is exact, balances are sums of rows."""

from autopilot.models.account import Account, AccountKind
from autopilot.models.balance import BalanceEntry, BalanceKind, EquityPoint
from autopilot.models.bootstrap_config import BootstrapConfig
from autopilot.models.fill import Fill
from autopilot.models.order import Order, OrderQuerySet
from autopilot.models.position import Position, PositionQuerySet
from autopilot.models.trade import Trade

__all__ = [
    "Account",
    "AccountKind",
    "BalanceEntry",
    "BalanceKind",
    "BootstrapConfig",
    "EquityPoint",
    "Fill",
    "Order",
    "OrderQuerySet",
    "Position",
    "PositionQuerySet",
    "Trade",
]

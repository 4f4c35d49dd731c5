"""Accounts and what they traded: to be read, filtered and exported, never edited."""

from autopilot.admin.accounts import AccountAdmin, BalanceEntryAdmin, EquityPointAdmin
from autopilot.admin.journal import FillAdmin, OrderAdmin, PositionAdmin, TradeAdmin

__all__ = [
    "AccountAdmin",
    "BalanceEntryAdmin",
    "EquityPointAdmin",
    "FillAdmin",
    "OrderAdmin",
    "PositionAdmin",
    "TradeAdmin",
]

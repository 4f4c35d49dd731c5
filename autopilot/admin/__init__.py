"""Accounts and what they traded: to be read, filtered and exported, never edited."""

from autopilot.admin.accounts import AccountAdmin, BalanceEntryAdmin, EquityPointAdmin
from autopilot.admin.instances import DecisionAdmin, InstanceAdmin
from autopilot.admin.journal import FillAdmin, OrderAdmin, PositionAdmin, TradeAdmin

__all__ = [
    "AccountAdmin",
    "BalanceEntryAdmin",
    "DecisionAdmin",
    "EquityPointAdmin",
    "FillAdmin",
    "InstanceAdmin",
    "OrderAdmin",
    "PositionAdmin",
    "TradeAdmin",
]

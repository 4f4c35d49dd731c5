"""Accounts and what they traded: to be read, filtered and exported, never edited."""

from autopilot.admin.accounts import AccountAdmin, BalanceEntryAdmin, EquityPointAdmin
from autopilot.admin.instances import DecisionAdmin, InstanceAdmin
from autopilot.admin.journal import FillAdmin, OrderAdmin, PositionAdmin, TradeAdmin
from autopilot.admin.live import (
    ExchangeKeyAdmin,
    HoldingAdmin,
    LiveArmingAdmin,
    LiveOrderAdmin,
    LiveOrderEventAdmin,
    LiveTradeAdmin,
    ReconciliationAdmin,
    SymbolFreezeAdmin,
)

__all__ = [
    "AccountAdmin",
    "BalanceEntryAdmin",
    "DecisionAdmin",
    "EquityPointAdmin",
    "ExchangeKeyAdmin",
    "FillAdmin",
    "HoldingAdmin",
    "InstanceAdmin",
    "LiveArmingAdmin",
    "LiveOrderAdmin",
    "LiveOrderEventAdmin",
    "LiveTradeAdmin",
    "OrderAdmin",
    "PositionAdmin",
    "ReconciliationAdmin",
    "SymbolFreezeAdmin",
    "TradeAdmin",
]

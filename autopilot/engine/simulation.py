"""What a simulation tells: equity per bar, trades, orders and fills as tables, in units that people read."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray, TimeArray
from signals.engine.fill import CLOSED, ENTRY, EXPIRED, LIQUIDATED, OPEN, STOPPED, TARGET, TRAILED
from signals.engine.fill.layout import (
    BELOW_MINIMUM,
    CANNOT_SHORT,
    CUT,
    LAPSED,
    LESS_THAN_ONE_LOT,
    LIMITED,
    NO_FUNDS,
    NO_ROOM,
    NOT_REFUSED,
    WITHDRAWN,
)

Table = npt.NDArray[np.void]

# exit_reason: of signals.engine.fill, EXIT_NAMES tells them in words; OPEN where the trade has not ended.
TRADE = np.dtype(
    [
        ("instrument", np.int32),
        ("side", np.int8),
        ("quantity", np.float64),
        ("entered_at", np.int64),
        ("exited_at", np.int64),
        ("entry_price", np.float64),
        ("exit_price", np.float64),
        ("fees", np.float64),
        ("funding", np.float64),
        ("net_profit", np.float64),
        ("r_multiple", np.float64),
        ("exit_reason", np.int8),
        ("ambiguous", np.bool_),
    ]
)
# Entries that were asked for. decided_at: open time of the bar at whose close. ended_at: of the bar that filled the
# last of it or refused it, -1 while it waits. price: nan for a market order; quantity: nan for all that is free.
ORDER = np.dtype(
    [
        ("instrument", np.int32),
        ("side", np.int8),
        ("kind", np.int8),
        ("decided_at", np.int64),
        ("ended_at", np.int64),
        ("price", np.float64),
        ("quantity", np.float64),
        ("filled", np.float64),
        ("refusal", np.int8),
    ]
)
FILL = np.dtype(
    [
        ("instrument", np.int32),
        ("at", np.int64),
        ("side", np.int8),
        ("quantity", np.float64),
        ("price", np.float64),
        ("fee", np.float64),
        ("reason", np.int8),
        ("ambiguous", np.bool_),
    ]
)

EXIT_NAMES = {
    STOPPED: "stop",
    TARGET: "target",
    CLOSED: "signal",
    TRAILED: "trailing stop",
    EXPIRED: "time",
    LIQUIDATED: "liquidation",
    OPEN: "open",
}
REASON_NAMES = {ENTRY: "entry", **EXIT_NAMES}
REFUSAL_NAMES = {
    NOT_REFUSED: "",
    LESS_THAN_ONE_LOT: "the account pays for less than one lot",
    BELOW_MINIMUM: "worth less than the exchange's minimum",
    LAPSED: "not filled in time",
    NO_ROOM: "as many positions as allowed are held",
    WITHDRAWN: "withdrawn before it filled",
    CUT: "cut to what the account pays for",
    LIMITED: "the limit of exposure is reached",
    CANNOT_SHORT: "the instrument cannot be sold short",
    NO_FUNDS: "the free balance does not cover value and fee",
}


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """equity: worth of the account at the close of each bar, which opened at `times` (UTC ms).

    An open position is marked at the last close, and no cost of closing it is taken off. trades: closed ones in
    the order in which they ended, then those that are open (exited_at -1, exit_price nan, exit_reason OPEN,
    net_profit marked). at, entered_at and exited_at are open times of the bar of the fill.
    `optimistic` is the same with the best path that every bar allows; this one takes the worst.
    """

    instruments: tuple[str, ...]
    times: TimeArray
    equity: FloatArray
    trades: Table
    orders: Table
    fills: Table
    optimistic: "Simulation | None" = None

    @property
    def pessimistic(self) -> "Simulation":
        return self

    @property
    def closed(self) -> Table:
        """Trades that have ended."""
        ended: Table = self.trades[self.trades["exited_at"] >= 0]
        return ended

    @property
    def returns(self) -> FloatArray:
        """Simple return of each bar but the first."""
        changes: FloatArray = np.diff(self.equity) / self.equity[:-1]
        return changes

    @property
    def ambiguous_share(self) -> float:
        """Of the trades, those that another path inside a bar would have ended otherwise; nan without any."""
        return float(self.trades["ambiguous"].mean()) if len(self.trades) else np.nan

"""How a closed bar fills orders: the one code that outcomes, the simulator and the paper broker share.

Everything is whole numbers: prices in ticks, quantities in lots. The rules, pessimistic wherever a bar does
not tell the order of events:

- An order placed after bar t fills at the earliest at the open of bar t+1. This holds by construction:
  a state's clock is the last bar that was stepped, and a bar that is not later is refused.
- At the open: a market order fills at the open; a stop order beyond which the market has opened fills
  at the open (worse than asked); a limit order likewise (better than asked).
- Inside the bar: a stop order fills at its price when the bar reaches it, a limit order too.
- The position's stop comes before its target when one bar reaches both.
- A position opened inside the bar by a limit order takes its target in that bar only if the bar also
  closes there, because the high may have come before the entry. One opened by a stop order passes its
  entry on the way to the target, so the target counts; its stop counts too where the bar reaches it, though
  that may have been before the entry.
- An exit that another path of the price through the same bar would have ended otherwise is `ambiguous`.
- `hold_bars` after its entry a position is closed at the next open. An order unfilled after
  `good_bars` bars lapses.
- Market and stop orders pay the taker's fee and slippage. Limit orders pay the maker's fee at their
  price; filled at an open they took what was offered, and pay the taker's fee without slippage.
- What could not be filled is refused when it is placed: levels on the wrong side of the price, unknown
  kinds, numbers that int64 does not hold.

`single` is the step of one order and one position.
"""

from signals.engine.fill.grid import Grid, bars_in_ticks
from signals.engine.fill.orders import (
    BEYOND,
    BUY,
    CLOSED,
    ENTRY,
    EXPIRED,
    FOREVER,
    LIMIT,
    LIQUIDATED,
    MARKET,
    NO_FILL,
    NO_ORDER,
    NO_POSITION,
    OPEN,
    SELL,
    STOP,
    STOPPED,
    TARGET,
    TRAILED,
    UNKNOWN_VOLUME,
    Bar,
    BarFill,
    BarFills,
    EntryOrder,
    HeldPosition,
    State,
)
from signals.engine.fill.rules import extreme
from signals.engine.fill.single import cancel, close_position, equity, move_exits, new_state, place, step

__all__ = [
    "BEYOND",
    "BUY",
    "CLOSED",
    "ENTRY",
    "EXPIRED",
    "FOREVER",
    "LIMIT",
    "LIQUIDATED",
    "MARKET",
    "NO_FILL",
    "NO_ORDER",
    "NO_POSITION",
    "OPEN",
    "SELL",
    "STOP",
    "STOPPED",
    "TARGET",
    "TRAILED",
    "UNKNOWN_VOLUME",
    "Bar",
    "BarFill",
    "BarFills",
    "EntryOrder",
    "Grid",
    "HeldPosition",
    "State",
    "bars_in_ticks",
    "cancel",
    "close_position",
    "equity",
    "extreme",
    "move_exits",
    "new_state",
    "place",
    "step",
]

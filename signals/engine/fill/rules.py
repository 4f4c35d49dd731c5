"""What both steps share: whether a bar reaches a price, and what a fill there costs."""

from numba import njit

from signals.engine.costs import fee, slipped
from signals.engine.fill.orders import LIMIT, MARKET, STOP, Bar, BarFill

LARGEST = 2**63 - 1
LARGEST_SUM = 9.2e18  # a float of it is still below LARGEST


@njit(cache=True)
def extreme(bar: Bar, side: int) -> int:
    """The bar's high for a buyer (positive side), its low for a seller."""
    return bar.high if side > 0 else bar.low


@njit(cache=True)
def beyond(price: int, level: int, side: int) -> bool:
    """Whether `price` stands at or past `level` (0 for none) when moving up (side 1) or down (-1)."""
    return level > 0 and side * (price - level) >= 0


@njit(cache=True)
def fills_at_open(kind: int, side: int, price: int, opened: int) -> bool:
    """Whether an order fills at the open: a market order, or one whose price the market has opened beyond."""
    if kind == MARKET:
        return True
    return beyond(opened, price, side if kind == STOP else -side)


@njit(cache=True)
def fits(price: int, lots: int) -> bool:
    """Whether ticks x lots are a number that int64 holds."""
    return price <= 0 or abs(lots) <= LARGEST // price


@njit(cache=True)
def encloses(side: int, price: int, stop: int, target: int) -> bool:
    """Whether stop, price and target (0 for none) stand in the order of a position of that side."""
    if price == 0:
        return stop == 0 or target == 0 or side * (target - stop) > 0
    return (stop == 0 or side * (price - stop) > 0) and (target == 0 or side * (target - price) > 0)


@njit(cache=True)
def known_kind(kind: int) -> bool:
    return kind == MARKET or kind == LIMIT or kind == STOP  # noqa: PLR1714  (a set is slow to compile)


@njit(cache=True)
def filled(lots: int, price: int, fee_ppm: int, slippage_ppm: int, reason: int, ambiguous: int) -> BarFill:
    """The fill of signed `lots`, its price worse by the slippage. ValueError where ticks x lots do not fit."""
    paid = slipped(price, 1 if lots > 0 else -1, slippage_ppm)
    if paid == LARGEST or not fits(paid, lots):
        raise ValueError("ticks x lots of this fill are beyond int64: use a coarser tick or lot")
    return BarFill(lots, paid, fee(paid, abs(lots), fee_ppm), reason, ambiguous)

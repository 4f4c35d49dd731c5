"""What a trade costs besides the price: maker and taker fees, and slippage.

Amounts are whole ticks x lots, so that a simulation and a paper broker cannot drift apart by rounding.
Rates are parts per million here and basis points (Decimal) at the boundary; every rounding goes against
the trader, by less than one tick x lot (fees) or one tick (slippage).
"""

from numba import njit

from signals.engine.cost_rates import (
    HIGHEST_BPS,
    MILLION,
    NO_COSTS,
    PPM_PER_BPS,
    RATES,
    SPOT_COSTS,
    CostRates,
    Costs,
    MarketType,
    rates_for,
)

HIGHEST_TICKS = 2**63 - 1

__all__ = [
    "HIGHEST_BPS",
    "HIGHEST_TICKS",
    "MILLION",
    "NO_COSTS",
    "PPM_PER_BPS",
    "RATES",
    "SPOT_COSTS",
    "CostRates",
    "Costs",
    "MarketType",
    "fee",
    "part_of",
    "rates_for",
    "slipped",
]


@njit(cache=True)
def fee(price: int, lots: int, rate_ppm: int) -> int:
    """Fee in ticks x lots for `lots` at `price` ticks, rounded up; int64, split so as not to overflow."""
    notional = price * lots
    whole, rest = notional // MILLION, notional % MILLION
    charged: int = whole * rate_ppm - (-rest * rate_ppm) // MILLION
    return charged


@njit(cache=True)
def part_of(price: int, ppm: int) -> int:
    """That part of a price, in ticks, rounded up; split so as not to overflow."""
    part: int = (price // MILLION) * ppm - (-(price % MILLION) * ppm) // MILLION
    return part


@njit(cache=True)
def slipped(price: int, side: int, slippage_ppm: int) -> int:
    """The worse price (ticks) at which a market or stop order of `side` (1 buys, -1 sells) fills; at least 1.

    HIGHEST_TICKS, which no lot is counted at, where int64 does not hold it.
    """
    slip = part_of(price, slippage_ppm)
    if side > 0 and slip > HIGHEST_TICKS - price:
        return HIGHEST_TICKS
    worse: int = max(price + side * slip, 1)
    return worse

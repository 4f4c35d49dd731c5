"""Decimal prices and quantities as whole ticks and lots, and back."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.fill.orders import BEYOND

TicksArray = np.ndarray[tuple[int, int], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Grid:
    """The exchange's steps: `tick` of the price, `lot` of the quantity. Decimal outside, whole inside."""

    tick: Decimal
    lot: Decimal

    def __post_init__(self) -> None:
        for name in ("tick", "lot"):
            step_size = getattr(self, name)
            if not (step_size.is_finite() and step_size > 0):
                raise ValueError(f"{name} must be positive, not {step_size}")

    def ticks(self, price: Decimal) -> int:
        """The nearest whole number of ticks."""
        return int((price / self.tick).to_integral_value(ROUND_HALF_EVEN))

    def lots(self, quantity: Decimal) -> int:
        """Whole lots, rounded down: never more than was asked for."""
        return int((quantity / self.lot).to_integral_value(ROUND_DOWN))

    def price(self, ticks: int) -> Decimal:
        return ticks * self.tick

    def quantity(self, lots: int) -> Decimal:
        return lots * self.lot

    def amount(self, tick_lots: int) -> Decimal:
        """Money (quote currency) of a fee, of cash or of equity."""
        return tick_lots * self.tick * self.lot


def bars_in_ticks(candles: OHLCV, tick: float) -> TicksArray:
    """Candles as int64 rows (open_time, open, high, low, close), prices rounded to the nearest tick.

    A price of more than BEYOND ticks becomes BEYOND: whoever multiplies ticks refuses prices long before.
    """
    prices = np.column_stack((candles.open, candles.high, candles.low, candles.close))
    whole = np.rint(np.minimum(prices / tick, BEYOND)).astype(np.int64)
    return np.column_stack((candles.open_time, whole))

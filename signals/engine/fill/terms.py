"""On what terms an instrument is traded, as one int64 row that compiled code takes: costs, rules and scale."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

import numpy as np
import numpy.typing as npt

from signals.engine.costs import MILLION, PPM_PER_BPS, CostRates
from signals.engine.fill.grid import Grid
from signals.engine.fill.money import in_units, money_scale

IntArray = npt.NDArray[np.int64]

(
    T_NUMERATOR,
    T_DENOMINATOR,
    T_MAKER,
    T_TAKER,
    T_SLIPPAGE,
    T_VOLATILITY,
    T_IMPACT,
    T_BORROW,
    T_SHARE,
    T_THROUGH,
    T_NEEDS_VOLUME,
    T_MINIMUM,
    T_MARGIN,
    T_MAINTENANCE,
    T_OPTIMISTIC,
) = range(15)
TERMS_WIDTH = 15
PPB_PER_BPS = 100_000


@dataclass(frozen=True, slots=True)
class Rules:
    """How orders fill and what an account must hold, besides costs.

    volume_share: at most this share of a bar's volume fills (None: no limit). needs_volume: a bar without
    volume fills nothing. trade_through: a limit fills only when the price goes a tick beyond it, not when it is
    merely touched. minimum_value: of an order, in quote currency. leverage: a position may be worth so many
    times what is put up for it. maintenance: liquidated when equity is less than this share of the
    positions' worth (0: never).
    """

    volume_share: Decimal | None = None
    needs_volume: bool = False
    trade_through: bool = False
    minimum_value: Decimal = Decimal(0)
    leverage: Decimal = Decimal(1)
    maintenance: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if self.volume_share is not None and not 0 < self.volume_share <= 1:
            raise ValueError(
                f"volume_share is {self.volume_share}; it must be above 0 and at most 1, or None"
            )
        if not (self.leverage.is_finite() and 1 <= self.leverage <= 100):
            raise ValueError(f"leverage is {self.leverage}; it must be between 1 and 100")
        if not (self.maintenance.is_finite() and 0 <= self.maintenance < 1):
            raise ValueError(f"maintenance is {self.maintenance}; it must be at least 0 and below 1")
        if not (self.minimum_value.is_finite() and self.minimum_value >= 0):
            raise ValueError(f"minimum_value is {self.minimum_value}; it must not be negative")


PLAIN_RULES = Rules()


def terms_row(
    grid: Grid, rates: CostRates, rules: Rules = PLAIN_RULES, *, optimistic: bool = False
) -> IntArray:
    """Terms as compiled code takes them; `optimistic` takes the best path that a bar allows, not the worst."""
    row = np.zeros(TERMS_WIDTH, dtype=np.int64)
    row[T_NUMERATOR], row[T_DENOMINATOR] = money_scale(grid)
    row[T_MAKER], row[T_TAKER], row[T_SLIPPAGE] = rates.in_ppm()
    row[T_VOLATILITY] = int(rates.volatility_bps * PPM_PER_BPS)
    row[T_IMPACT] = int(rates.impact_bps * PPM_PER_BPS)
    row[T_BORROW] = int(rates.borrow_bps * PPB_PER_BPS)
    row[T_SHARE] = 0 if rules.volume_share is None else max(int(rules.volume_share * MILLION), 1)
    row[T_THROUGH] = int(rules.trade_through)
    row[T_NEEDS_VOLUME] = int(rules.needs_volume)
    row[T_MINIMUM] = in_units(rules.minimum_value)
    row[T_MARGIN] = int((MILLION / rules.leverage).to_integral_value(ROUND_CEILING))
    row[T_MAINTENANCE] = int((rules.maintenance * MILLION).to_integral_value(ROUND_CEILING))
    row[T_OPTIMISTIC] = int(optimistic)
    return row

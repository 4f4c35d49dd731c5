"""What a signal costs and may lose, in the subscriber's own money. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from signals.engine.cost_rates import MILLION, rates_for


class Charged(Protocol):
    """What decides an instrument's costs; rates that are None are those of its kind."""

    @property
    def asset_class(self) -> str: ...
    @property
    def market_type(self) -> str: ...
    @property
    def maker_bps(self) -> Decimal | None: ...
    @property
    def taker_bps(self) -> Decimal | None: ...
    @property
    def slippage_bps(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class Record:
    """How the signals before this one ended: how many, with a profit after costs, and their mean in R."""

    ended: int
    won: int
    mean_r: float

    @property
    def hit_rate(self) -> float:
        """A ratio; NaN where none has ended."""
        return self.won / self.ended if self.ended else float("nan")


def costs_per_unit(instrument: Charged, entry: Decimal, left_at: Decimal) -> Decimal:
    """Fees and slippage of entering and leaving one unit of the base by market and stop orders, in the quote."""
    rates = rates_for(
        instrument.asset_class,
        instrument.market_type,
        maker_bps=instrument.maker_bps,
        taker_bps=instrument.taker_bps,
        slippage_bps=instrument.slippage_bps,
    ).in_ppm()
    return (entry + left_at) * (rates.taker_ppm + rates.slippage_ppm) / MILLION

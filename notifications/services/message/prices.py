"""The prices of a signal, as an exchange takes them."""

from dataclasses import dataclass
from decimal import Decimal
from math import floor, log10
from typing import Protocol

SIGNIFICANT_DIGITS = 5


class Priced(Protocol):
    """The three prices of a signal, whatever else it is."""

    @property
    def entry_price(self) -> float: ...
    @property
    def stop_loss(self) -> float: ...
    @property
    def take_profit(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Levels:
    """Entry, stop and, unless the plan has none, target in prices that the exchange takes."""

    entry: Decimal
    stop: Decimal
    target: Decimal | None

    @property
    def risk(self) -> Decimal:
        return abs(self.entry - self.stop)

    @property
    def reward(self) -> Decimal | None:
        return None if self.target is None else abs(self.target - self.entry)

    @property
    def reward_per_risk(self) -> Decimal | None:
        return self.reward / self.risk if self.risk and self.reward is not None else None


def price_decimals(price: float) -> int:
    """Decimals that show five significant digits, two at least: 67123.45, 2.3457, 0.000012346."""
    return max(2, SIGNIFICANT_DIGITS - 1 - floor(log10(price)))


def level_labels(signal: Priced, tick_size: Decimal | None) -> tuple[str, str, str]:
    """Entry, stop and target as a message writes them: to be copied into an order, so without separators.

    The target is empty where the plan has none.
    """
    levels = levels_of(signal, tick_size)
    return f"{levels.entry:f}", f"{levels.stop:f}", "" if levels.target is None else f"{levels.target:f}"


def levels_of(signal: Priced, tick_size: Decimal | None) -> Levels:
    prices = [signal.stop_loss, *([] if signal.take_profit is None else [signal.take_profit])]
    entry, stop, *target = rounded(tick_size, signal.entry_price, *prices)
    return Levels(entry, stop, target[0] if target else None)


def rounded(tick_size: Decimal | None, entry: float, *others: float) -> list[Decimal]:
    """Prices to the nearest tick; where none that can be is known, to the decimals that make sense at the first."""
    can_be = tick_size if tick_size and tick_size <= entry else None
    tick = (can_be or Decimal(1).scaleb(-price_decimals(entry))).normalize()
    written = Decimal(1).scaleb(min(int(tick.as_tuple().exponent), 0))
    return [((Decimal(str(price)) / tick).quantize(1) * tick).quantize(written) for price in (entry, *others)]

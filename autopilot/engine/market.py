"""What a simulation over several instruments is given: markets, signals, how much to trade, and limits."""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.costs import CostRates
from signals.engine.fill import FOREVER, MARKET, Grid
from signals.engine.fill.terms import PLAIN_RULES, Rules
from signals.engine.outcome import HORIZON_BARS

MANAGED_ENTRY_BARS = 1  # a managed entry that the next bar does not fill is not wanted any more


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """An instrument's candles and on what terms it is traded.

    grid: None makes one as fine as `simulate_signals` does. rates: None takes the simulation's costs. finer: shorter
    candles of the same instrument; where they are there, they decide what a bar leaves open. funding_at (UTC ms)
    and funding (a ratio of the position's worth, paid by longs where it is positive): when what falls due.
    shortable: signals that would sell short are refused otherwise.
    """

    name: str
    candles: OHLCV
    quote: str = "USDT"
    grid: Grid | None = None
    rates: CostRates | None = None
    rules: Rules = PLAIN_RULES
    finer: OHLCV | None = None
    funding_at: TimeArray | None = None
    funding: FloatArray | None = None
    shortable: bool = True


class Opposite(IntEnum):
    """What a signal against a held position does: nothing, end it, or turn it over."""

    IGNORE = 0
    CLOSE = 1
    REVERSE = 2


class Series(Protocol):
    """What strategies and fused decisions give: columns of equal length, one row per candle."""

    @property
    def direction(self) -> npt.NDArray[np.int8]: ...
    @property
    def stop_loss(self) -> FloatArray: ...
    @property
    def take_profit(self) -> FloatArray: ...


@runtime_checkable
class ManagedSeries(Series, Protocol):
    """A series whose trades are left by one managed plan (`exit_plan`), as the trend rule's."""

    @property
    def trail_atr(self) -> float: ...
    @property
    def longest_hold_bars(self) -> int: ...
    @property
    def ranges(self) -> FloatArray: ...


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """A series of entries with all that can be said of one. Rows are bars, decided at their close.

    stop_loss, take_profit, price: nan for none; `price` of limit and stop entries (`kind`). exits: where to leave.
    trail: distance of a trailing stop in quote currency, nan for none. trail_atr: of a managed exit (`exit_plan`):
    after each close the stop follows the best close since the decision at so many average true ranges of that
    bar, from the next bar on; nan for none. It needs a stop_loss, and goes with no target, `trail` or `adds`.
    ranges: those average true ranges, where they are known from earlier candles; None makes them of the market's.
    good_bars: how long an entry waits; hold_bars: how long its position lasts. adds: a signal on the side that is
    held adds to the position.
    """

    direction: npt.NDArray[np.int8]
    stop_loss: FloatArray
    take_profit: FloatArray
    kind: int = MARKET
    price: FloatArray | None = None
    exits: npt.NDArray[np.bool_] | None = None
    trail: FloatArray | None = None
    good_bars: int = FOREVER
    hold_bars: int = FOREVER
    adds: bool = False
    opposite: Opposite = Opposite.IGNORE
    trail_atr: FloatArray | None = None
    ranges: FloatArray | None = None


def signals_of(series: Series, hold_bars: int = HORIZON_BARS) -> Signals:
    """A strategy's or decision's series as market entries that last `hold_bars` at most; `Signals` as they are.

    A managed series lasts as long as its plan says, and its entry lapses after one bar.
    """
    if isinstance(series, Signals):
        return series
    if isinstance(series, ManagedSeries):
        return managed_signals(series)
    return Signals(
        np.asarray(series.direction, dtype=np.int8),
        np.asarray(series.stop_loss, dtype=np.float64),
        np.asarray(series.take_profit, dtype=np.float64),
        hold_bars=hold_bars,
    )


def managed_signals(series: ManagedSeries) -> Signals:
    direction = np.asarray(series.direction, dtype=np.int8)
    return Signals(
        direction,
        np.asarray(series.stop_loss, dtype=np.float64),
        np.full(len(direction), np.nan),
        good_bars=MANAGED_ENTRY_BARS,
        hold_bars=series.longest_hold_bars,
        trail_atr=np.full(len(direction), series.trail_atr),
        ranges=np.asarray(series.ranges, dtype=np.float64),
    )


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same quantity, in units of the base, every time."""

    quantity: Decimal


@dataclass(frozen=True, slots=True)
class FractionOfEquity:
    """Worth this share of the equity at the close of the decision."""

    fraction: Decimal


@dataclass(frozen=True, slots=True)
class RiskPerTrade:
    """So much that the stop costs this share of the equity, before fees."""

    fraction: Decimal


@dataclass(frozen=True, slots=True)
class VolatilityTarget:
    """Worth equity x target / volatility; both a year's, the volatility of the last `bars` log returns.

    Until so many are known nothing is traded. periods_per_year: bars of the candles in a year.
    """

    target: Decimal
    periods_per_year: float
    bars: int = 100


Sizing = Fixed | FractionOfEquity | RiskPerTrade | VolatilityTarget


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may hold: so many positions and waiting entries, and so many times its equity in all.

    covered: an entry is refused at its decision unless the free balance, less what waits, covers its value and fee,
    as pre-flight does on paper and live (`preflight`); otherwise it is cut at the fill.
    """

    positions: int | None = None
    exposure: Decimal | None = None
    covered: bool = False

    def __post_init__(self) -> None:
        if self.positions is not None and self.positions < 1:
            raise ValueError(f"positions is {self.positions}; it must be at least 1, or None")
        if self.exposure is not None and not (self.exposure.is_finite() and self.exposure > 0):
            raise ValueError(f"exposure is {self.exposure}; it must be positive, or None")


NO_LIMITS = Limits()


def check_sizing(sizing: Sizing) -> None:
    """ValueError for a size that cannot be meant."""
    amount = {
        Fixed: lambda: sizing.quantity,  # type: ignore[union-attr]
        FractionOfEquity: lambda: sizing.fraction,  # type: ignore[union-attr]
        RiskPerTrade: lambda: sizing.fraction,  # type: ignore[union-attr]
        VolatilityTarget: lambda: sizing.target,  # type: ignore[union-attr]
    }[type(sizing)]()
    if not (amount.is_finite() and amount > 0):
        raise ValueError(f"{type(sizing).__name__} of {amount}: it must be positive")
    if isinstance(sizing, RiskPerTrade) and amount > 1:
        raise ValueError(f"a risk of {amount} a trade is more than there is")
    if isinstance(sizing, VolatilityTarget) and (sizing.bars < 2 or not sizing.periods_per_year > 0):
        raise ValueError("a volatility target needs at least 2 bars and a positive number of periods a year")

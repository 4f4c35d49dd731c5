"""`simulate_signals`: two columns say when to enter and when to leave one instrument."""

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from autopilot.engine.signal_path import FlagArray, SignArray, run_plain, run_steps
from autopilot.engine.simulation import Simulation
from autopilot.engine.tables import (
    ASKED_WIDTH,
    EVENT_WIDTH,
    Scale,
    fills_table,
    orders_table,
    trades_table,
)
from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import NO_COSTS, CostRates
from signals.engine.fill import Grid
from signals.engine.fill.book import REFUSED
from signals.engine.fill.layout import ALL
from signals.engine.fill.money import HIGHEST_DENOMINATOR, UNITS, in_units
from signals.engine.fill.terms import PLAIN_RULES, Rules, terms_row

SIDES = {"long": (0, 1), "short": (-1, 0), "both": (-1, 1)}
PRICE_DIGITS = 12
TOLD_SHARE = Decimal("1e-11")  # of the cash, that one lot is worth at most at the highest price
HIGHEST_TICKS = 2**50


def simulate_signals(
    candles: OHLCV,
    entries: npt.ArrayLike,
    exits: npt.ArrayLike,
    *,
    cash: Decimal = Decimal(10_000),
    quantity: Decimal | str = "all",
    rates: CostRates = NO_COSTS,
    grid: Grid | None = None,
    direction: str = "long",
) -> Simulation:
    """One instrument, market orders at the next open, one position at a time.

    entries: 1 (long), -1 (short) or 0 for each bar; exits: whether to leave, before an entry of the same bar. An entry
    on the side that is held is ignored; with direction "both" one against it turns the position over at that
    open. quantity: "all", or so many units of the base; never more than the cash pays for at the fill's price with
    fee and slippage (a short position puts up its own worth); less than one lot is a refused order.
    grid: None makes ticks of twelve digits of the highest price, and lots of at most 1e-11 of the cash.

    ValueError for columns of another length or other values, an entry against `direction`, prices at or
    below zero or less than half a tick, cash or quantity that is not positive, and money beyond int64.
    """
    enter, leave = _decisions(entries, exits, len(candles), direction)
    start = in_units(_positive("cash", cash))
    if start < 1:
        raise ValueError(f"cash is {cash}; it must be at least 1e-8")
    used = grid or default_grid(candles, cash)
    lots = ALL if isinstance(quantity, str) and quantity == "all" else _lots(quantity, used)
    return run_signals(candles, enter, leave, start, lots, rates, used)


def run_signals(  # noqa: PLR0913  (what one run is made of)
    candles: OHLCV,
    entries: SignArray,
    exits: FlagArray,
    cash: int,
    quantity: int,
    rates: CostRates,
    grid: Grid,
    *,
    rules: Rules = PLAIN_RULES,
    by_step: bool = False,
) -> Simulation:
    """`simulate_signals` on what it has checked; `by_step` takes the general step where the plain loop would do too."""
    scale = Scale.of(grid)
    if len(candles):
        check_prices(candles, scale)
    rows = len(candles)
    decisions = int(np.count_nonzero(entries) + np.count_nonzero(exits))
    equity = np.empty(rows)
    events = np.empty((2 * decisions + 2, EVENT_WIDTH), dtype=np.int64)
    asked, counts = np.zeros((decisions + 1, ASKED_WIDTH), dtype=np.int64), np.zeros(3, dtype=np.int64)
    terms = terms_row(grid, rates, rules)
    common = (entries, exits, cash, quantity, scale.ticks_per_price, terms, equity, events, asked, counts)
    fixed = not (rates.volatility_bps or rates.impact_bps or rates.borrow_bps) and rules == PLAIN_RULES
    if fixed and not by_step:
        status = run_plain(candles.open_time, candles.open, candles.close, *common)
    else:
        prices = (candles.open, candles.high, candles.low, candles.close)
        status = run_steps(candles.open_time, *prices, _volumes(candles, grid, rates, rules), *common)
    if status < 0:
        raise ValueError(REFUSED[status])
    found, orders = events[: counts[0]], asked[: counts[1]]
    last = candles.close[-1:] * scale.ticks_per_price
    return Simulation(
        instruments=("",),
        times=candles.open_time,
        equity=equity,
        trades=trades_table(found, [scale], np.rint(last) if rows else np.zeros(1), counts[2:]),
        orders=orders_table(orders, found, [scale]),
        fills=fills_table(found, [scale]),
    )


def default_grid(candles: OHLCV, cash: Decimal) -> Grid:
    """Ticks and lots so fine that what they leave out is not seen, for candles whose exchange is not known."""
    highest = candles.price_range[1] if len(candles) else 1.0
    digits = int(np.floor(np.log10(highest))) + 1 if highest > 0 else 0
    tick = Decimal(10) ** (digits - PRICE_DIGITS)
    told = (cash * TOLD_SHARE / Decimal(10) ** digits).adjusted()
    finest = -(Decimal(UNITS) * HIGHEST_DENOMINATOR * tick).adjusted()
    return Grid(tick=tick, lot=Decimal(10) ** max(told, finest))


def _volumes(candles: OHLCV, grid: Grid, rates: CostRates, rules: Rules) -> FloatArray:
    """In lots, for whoever asks for them; none where nobody does, or one is more than can be counted."""
    asked = rules.volume_share is not None or rules.needs_volume or rates.impact_bps
    found: FloatArray = np.floor(candles.volume / float(grid.lot)) if asked else np.empty(0)
    return found if (found < 2.0**62).all() else np.empty(0)


def check_prices(candles: OHLCV, scale: Scale) -> None:
    """ValueError for prices that are not positive, or not whole numbers of ticks between 1 and HIGHEST_TICKS."""
    lowest, highest = candles.price_range
    if lowest <= 0:
        raise ValueError(f"prices must be positive to be traded at, not {lowest}")
    if lowest * scale.ticks_per_price < 0.5:
        raise ValueError(f"a price of {lowest} is less than half a tick of {float(scale.tick)}")
    if highest * scale.ticks_per_price > HIGHEST_TICKS:
        raise ValueError(f"a price of {highest} is too many ticks of {float(scale.tick)}")


def _decisions(
    entries: npt.ArrayLike, exits: npt.ArrayLike, rows: int, direction: str
) -> tuple[SignArray, FlagArray]:
    if direction not in SIDES:
        raise ValueError(f"direction is {direction!r}; it must be one of {', '.join(SIDES)}")
    enter = _column("entries", entries, rows, np.int8, "1, -1 or 0")
    leave = _column("exits", exits, rows, np.bool_, "True or False")
    least, most = SIDES[direction]
    lowest, highest = (int(enter.min()), int(enter.max())) if rows else (0, 0)
    if lowest < -1 or highest > 1:
        raise ValueError(f"entries are 1, -1 or 0, not {lowest if lowest < -1 else highest}")
    if lowest < least or highest > most:
        row = int(np.argmax((enter < least) | (enter > most)))
        raise ValueError(
            f"row {row} enters {'short' if enter[row] < 0 else 'long'}, direction is {direction}"
        )
    return enter, leave


def _column(name: str, values: npt.ArrayLike, rows: int, kind: type[Any], allowed: str) -> npt.NDArray[Any]:
    given = np.asarray(values)
    if given.shape != (rows,):
        raise ValueError(
            f"{name} must have one value for each of the {rows} candles, its shape is {given.shape}"
        )
    if given.dtype == kind:
        return np.ascontiguousarray(given)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold {allowed}, not {given.dtype}")
    with np.errstate(invalid="ignore"):
        converted = given.astype(kind)
    if not np.array_equal(converted.astype(np.float64), given.astype(np.float64)):
        raise ValueError(f"{name} must hold {allowed}")
    return converted


def _positive(name: str, amount: object) -> Decimal:
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int):
        raise ValueError(f"{name} must be a Decimal, not {amount!r}")  # noqa: TRY004  (one error for bad input)
    found = Decimal(amount)
    if not (found.is_finite() and found > 0):
        raise ValueError(f"{name} is {amount}; it must be positive")
    return found


def _lots(quantity: object, grid: Grid) -> int:
    lots = grid.lots(_positive('quantity (if not "all")', quantity))
    if lots > 2**62:
        raise ValueError(f"quantity {quantity} is too many lots of {grid.lot}")
    return lots

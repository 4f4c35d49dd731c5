"""What became of a signal, on closed candles alone, by the fill code that paper trading uses.

A signal decided at the close of bar t is entered at the open of bar t+1 as a market order. It ends at its
stop or target (gaps included, stop first where one bar reaches both) or, after HORIZON_BARS bars, at the
next open. A managed one (`exit_plan`) has no target: after each close its stop follows the best close, acting
from the next bar, and its plan says how long it lasts. The horizon is the trade's; a signal's `expires_at`
(4 bars) only tells a subscriber until when entering still makes sense, and the record does not wait for that.
Where candles are missing for good, bars that exist are counted.

R is the result after costs in units of the planned risk |entry_price - stop_loss|; of a managed trade, whose entry may
stand far from the close, the return on what was paid over that risk as a share of the close. Best and worst
excursion are before fees, from the price paid, 0 at least and at most. Of the bar that ends the trade only
what is sure, or hurts, is counted: of a stopped trade nothing better than that bar's open, of a target
reached that bar's worst price, of an expiry that bar's open only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.costs import SPOT_COSTS, CostRates, Costs
from signals.engine.exit_plan import ATR_PERIOD, ExitPlan
from signals.engine.exit_reason import ExitReason
from signals.engine.fill import (
    CLOSED,
    FOREVER,
    MARKET,
    STOPPED,
    TARGET,
    UNKNOWN_VOLUME,
    Bar,
    BarFill,
    EntryOrder,
    bars_in_ticks,
    extreme,
    move_exits,
    new_state,
    place,
    step,
)
from signals.engine.fill.trailing import followed_stop
from signals.engine.horizon import HORIZON_BARS
from signals.engine.indicators.volatility import atr

PRICE_DIGITS = 9
FOLLOWED_LOTS = 1_000_000  # so many that rounding a fee to one tick x lot is invisible
# Ticks x lots of an entry, an exit and their fees must fit into int64: a price of 4,600 times the levels or more.
HIGHEST_TICKS = 2**62 // FOLLOWED_LOTS
UNFINISHED, REFUSED = -1, -2

REASONS = {STOPPED: ExitReason.STOP, TARGET: ExitReason.TARGET, CLOSED: ExitReason.EXPIRY}

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """One row per signal. Where `ended` is False the numbers are NaN and the integers -1.

    refused: it lived through a bar so far above its levels (HIGHEST_TICKS) that the result cannot be reckoned.
    exit_reason: of engine.fill (STOPPED, TARGET, CLOSED = expiry), `REASONS` names them.
    entered_at, exited_at: open time (UTC ms) of the bar of the fill. returns: net, a ratio of the entry.
    bars_held: bars from the entry's to the exit's, 0 where one bar did both.
    """

    ended: npt.NDArray[np.bool_]
    refused: npt.NDArray[np.bool_]
    exit_reason: IntArray
    entered_at: TimeArray
    exited_at: TimeArray
    entry_price: FloatArray
    exit_price: FloatArray
    returns: FloatArray
    r_multiple: FloatArray
    best_r: FloatArray
    worst_r: FloatArray
    bars_held: IntArray
    ambiguous: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ended)

    def chosen(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "Outcomes":
        return Outcomes(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Signals to follow, one row each, as columns of equal length.

    target: NaN where a stop trails. trail: in average true ranges, 0 where the stop stands still. lasts: bars.
    """

    row: IntArray
    sign: IntArray
    entry: FloatArray
    stop: FloatArray
    target: FloatArray
    trail: FloatArray
    lasts: IntArray


def follow(
    candles: OHLCV,
    *,
    rows: npt.ArrayLike,
    directions: npt.ArrayLike,
    entry_prices: npt.ArrayLike,
    stop_losses: npt.ArrayLike,
    take_profits: npt.ArrayLike,
    horizon: int = HORIZON_BARS,
    rates: CostRates = SPOT_COSTS,
) -> Outcomes:
    """Follow signals that were decided at the close of `rows` of `candles`; arrays of equal length.

    directions: 1 or -1. Trades that the candles do not see the end of are not `ended`, nor are those that
    are `refused`. ValueError for levels that do not enclose the entry, rows outside the candles, prices at
    or below zero.
    """
    row, sign = np.asarray(rows, dtype=np.int64), np.asarray(directions, dtype=np.int64)
    entry, stop, target = (
        np.asarray(each, dtype=np.float64) for each in (entry_prices, stop_losses, take_profits)
    )
    if horizon < 1:
        raise ValueError(f"horizon is {horizon} bars, it must be at least 1")
    asked = Asked(row, sign, entry, stop, target, np.zeros(len(row)), np.full(len(row), horizon))
    return _followed(candles, asked, rates, np.zeros(len(candles)))


def follow_plans(
    candles: OHLCV,
    *,
    rows: npt.ArrayLike,
    directions: npt.ArrayLike,
    entry_prices: npt.ArrayLike,
    plans: Sequence[ExitPlan],
    rates: CostRates = SPOT_COSTS,
    ranges: FloatArray | None = None,
) -> Outcomes:
    """`follow` of signals that each bring their plan; a plan that does not say how long lasts HORIZON_BARS.

    ranges: average true range of each candle, worked out from `candles` where it is left out.
    """
    asked = Asked(
        row=np.asarray(rows, dtype=np.int64),
        sign=np.asarray(directions, dtype=np.int64),
        entry=np.asarray(entry_prices, dtype=np.float64),
        stop=np.array([plan.stop for plan in plans], dtype=np.float64),
        target=np.array([np.nan if plan.target is None else plan.target for plan in plans], dtype=np.float64),
        trail=np.array([plan.trail_atr or 0.0 for plan in plans], dtype=np.float64),
        lasts=np.array([plan.longest_hold_bars or HORIZON_BARS for plan in plans], dtype=np.int64),
    )
    if ranges is None:
        ranges = atr(candles.high, candles.low, candles.close, ATR_PERIOD)
    return _followed(candles, asked, rates, ranges)


def _followed(candles: OHLCV, asked: Asked, rates: CostRates, ranges: FloatArray) -> Outcomes:
    _check(len(candles), asked)
    if len(asked.row) and candles.low.min() <= 0:
        raise ValueError("prices must be positive to be followed")
    tick = _ticks(asked.stop, asked.entry, asked.target)
    prices = np.column_stack((asked.stop, np.nan_to_num(asked.target)))
    levels = np.rint(prices / tick[:, np.newaxis]).astype(np.int64)
    raw = np.empty((len(asked.row), 9), dtype=np.int64)
    for size in np.unique(tick):
        alike = tick == size
        exits = (levels[alike], asked.lasts[alike], asked.trail[alike], ranges / size)
        bars = bars_in_ticks(candles, size)
        raw[alike] = _follow_all(bars, asked.row[alike], asked.sign[alike], *exits, rates.in_ppm())
    risk = np.abs(asked.entry - asked.stop)
    outcomes = _priced(candles, raw, tick, asked.sign, risk)
    of_close = outcomes.returns * asked.entry / risk
    return replace(outcomes, r_multiple=np.where(asked.trail > 0, of_close, outcomes.r_multiple))


def _check(bars: int, asked: Asked) -> None:
    lengths = {len(getattr(asked, each.name)) for each in fields(asked)}
    if len(lengths) > 1:
        raise ValueError(f"rows, directions and levels differ in length: {sorted(lengths)}")
    row, sign, stop, entry, target = asked.row, asked.sign, asked.stop, asked.entry, asked.target
    if len(row) and not (row.min() >= 0 and row.max() < bars):
        raise ValueError(f"rows must lie within the {bars} candles, not {row.min()} to {row.max()}")
    without_target = (asked.trail > 0) & np.isnan(target)
    reached = without_target | ((asked.trail == 0) & (sign * (target - entry) > 0))
    enclosed = (sign * (entry - stop) > 0) & reached & (np.fmin(stop, target) > 0)
    if not (enclosed & (np.abs(sign) == 1)).all():
        worst = int(np.argmin(enclosed & (np.abs(sign) == 1)))
        raise ValueError(
            f"signal {worst}: direction {sign[worst]}, stop {stop[worst]}, entry {entry[worst]} and target "
            f"{target[worst]} do not stand in order"
        )


def _ticks(stop: FloatArray, entry: FloatArray, target: FloatArray) -> FloatArray:
    """Each signal's own step of the price: PRICE_DIGITS digits for its highest level, known when it was decided.

    A step taken from the candles would let later bars change the last digits of trades that have ended.
    """
    highest = np.fmax(entry, np.fmax(stop, target))
    tick: FloatArray = 10.0 ** (np.floor(np.log10(highest)) + 1 - PRICE_DIGITS)
    if (np.fmin(stop, target) < tick).any():
        raise ValueError(f"stop and target must be within {PRICE_DIGITS} digits of each other to be followed")
    return tick


@njit(cache=True)
def _follow_all(
    bars: IntArray,
    rows: IntArray,
    signs: IntArray,
    levels: IntArray,
    holds: IntArray,
    trails: FloatArray,
    ranges: FloatArray,
    costs: Costs,
) -> IntArray:
    """Per signal: reason, entry bar, exit bar, entry ticks, exit ticks, fees, best, worst, ambiguous.

    UNFINISHED throughout, or REFUSED, where there is no end.
    """
    found = np.full((len(rows), 9), UNFINISHED, dtype=np.int64)
    for each in range(len(rows)):
        order = EntryOrder(
            signs[each], MARKET, 0, FOLLOWED_LOTS, levels[each, 0], levels[each, 1], FOREVER, holds[each]
        )
        _follow_one(found[each], bars, rows[each], order, trails[each], ranges, costs)
    return found


@njit(cache=True)
def _follow_one(
    found: IntArray,
    bars: IntArray,
    row: int,
    order: EntryOrder,
    trail: float,
    ranges: FloatArray,
    costs: Costs,
) -> None:
    sign, best_close = order.side, bars[row, 4]
    state = place(new_state(bars[row, 0]), order)
    best, worst, entry, fees = 0, 0, 0, 0
    for at in range(row + 1, len(bars)):
        bar = Bar(bars[at, 0], bars[at, 1], bars[at, 2], bars[at, 3], bars[at, 4], UNKNOWN_VOLUME)
        if bar.high > HIGHEST_TICKS:
            found[:] = REFUSED
            return
        state, fills = step(state, bar, costs)
        if fills.opened.lots != 0:
            entry, fees = fills.opened.price, fills.opened.fee
        ended = fills.closed if fills.closed.lots != 0 else fills.closed_again
        up, down = _excursion(bar, ended, sign, entry)
        best, worst = max(best, up), min(worst, down)
        if ended.lots != 0:
            found[:] = np.array(
                (
                    ended.reason,
                    row + 1,
                    at,
                    entry,
                    ended.price,
                    fees + ended.fee,
                    best,
                    worst,
                    ended.ambiguous,
                )
            )
            return
        if trail > 0:
            best_close = max(best_close, bar.close) if sign > 0 else min(best_close, bar.close)
            held = state.position.stop
            stop = followed_stop(held, sign, best_close, ranges[at], trail)
            if stop != held:
                state = move_exits(state, stop, 0)


@njit(cache=True)
def _excursion(bar: Bar, ended: BarFill, sign: int, entry: int) -> tuple[int, int]:
    """The best and worst move of the bar in the trade's direction, in ticks, as the module's text has it."""
    adverse = sign * (extreme(bar, -sign) - entry)
    if ended.lots == 0:
        return sign * (extreme(bar, sign) - entry), adverse
    at_open, at_exit = sign * (bar.open - entry), sign * (ended.price - entry)
    if ended.reason == TARGET and ended.price != bar.open:
        return at_exit, adverse
    return at_open, min(at_open, at_exit)


def _priced(candles: OHLCV, raw: IntArray, tick: FloatArray, sign: IntArray, risk: FloatArray) -> Outcomes:
    ended = raw[:, 0] >= 0
    reason, first, last, entry, leave, fees, best, worst, ambiguous = (
        np.where(ended, column, -1) for column in raw.T
    )
    net = np.where(ended, sign * (leave - entry) - fees / FOLLOWED_LOTS, np.nan)
    return Outcomes(
        ended=ended,
        refused=raw[:, 0] == REFUSED,
        exit_reason=reason,
        entered_at=np.where(ended, candles.open_time[first], -1),
        exited_at=np.where(ended, candles.open_time[last], -1),
        entry_price=np.where(ended, entry * tick, np.nan),
        exit_price=np.where(ended, leave * tick, np.nan),
        returns=net / entry,
        r_multiple=net * tick / risk,
        best_r=np.where(ended, best * tick / risk, np.nan),
        worst_r=np.where(ended, worst * tick / risk, np.nan),
        bars_held=np.where(ended, last - first, -1),
        ambiguous=ambiguous == 1,
    )

"""From the whole numbers of the fill code to the tables of a simulation.

Events are rows of FILL_WIDTH as the step writes them, with the instrument's number before; asked are entries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from numba import njit

from autopilot.engine.simulation import FILL, ORDER, TRADE, Table
from signals.engine.candle import FloatArray
from signals.engine.fill import ENTRY, OPEN, Grid
from signals.engine.fill.layout import (
    F_AMBIGUOUS,
    F_FEE,
    F_FUNDING,
    F_LEFT,
    F_LOTS,
    F_ORDER,
    F_PRICE,
    F_REASON,
    F_REFUSAL,
    F_RISK,
    F_TIME,
    F_WORTH,
    FILL_WIDTH,
)
from signals.engine.fill.money import UNITS, money_scale

IntArray = npt.NDArray[np.int64]

E_INSTRUMENT, E = 0, 1  # an event: the instrument, then the columns of a fill
EVENT_WIDTH = E + FILL_WIDTH
A_INSTRUMENT, A_ORDER, A_TIME, A_SIDE, A_KIND, A_PRICE, A_LOTS, A_REFUSAL = range(8)
ASKED_WIDTH = 8
(
    R_INSTRUMENT,
    R_SIDE,
    R_LOTS,
    R_ENTERED,
    R_EXITED,
    R_FEES,
    R_FUNDING,
    R_PROFIT,
    R_RISK,
    R_REASON,
    R_AMBIGUOUS,
) = range(11)
ROUND_TRIP_WIDTH = 11


@dataclass(frozen=True, slots=True)
class Scale:
    """What an instrument's ticks and lots are worth: exact, and as the floats that compiled code multiplies by."""

    tick: Fraction
    lot: Fraction
    numerator: int
    denominator: int

    @classmethod
    def of(cls, grid: Grid) -> "Scale":
        return cls(Fraction(grid.tick), Fraction(grid.lot), *money_scale(grid))

    @property
    def ticks_per_price(self) -> float:
        return float(1 / self.tick)

    @property
    def units_per_tick_lot(self) -> float:
        return self.numerator / self.denominator

    def prices(self, ticks: npt.NDArray[np.float64]) -> FloatArray:
        found: FloatArray = ticks * float(self.tick.numerator) / float(self.tick.denominator)
        return found

    def quantities(self, lots: npt.NDArray[np.float64]) -> FloatArray:
        found: FloatArray = lots * float(self.lot.numerator) / float(self.lot.denominator)
        return found


def trades_table(events: IntArray, scales: Sequence[Scale], marks: FloatArray, funding: IntArray) -> Table:
    """Round trips from flat to flat. For what is open: the last close in ticks and the funding until then."""
    worths = np.array([scale.units_per_tick_lot for scale in scales])
    rows, prices = _round_trips(events, worths, marks, funding)
    table = np.empty(len(rows), dtype=TRADE)
    table["instrument"], table["side"] = rows[:, R_INSTRUMENT], rows[:, R_SIDE]
    table["entered_at"], table["exited_at"] = rows[:, R_ENTERED], rows[:, R_EXITED]
    for name, column in (("fees", R_FEES), ("funding", R_FUNDING), ("net_profit", R_PROFIT)):
        table[name] = rows[:, column] / UNITS
    risk = rows[:, R_RISK].astype(np.float64)
    risk[risk == 0] = np.nan
    table["r_multiple"] = rows[:, R_PROFIT] / risk
    table["exit_reason"], table["ambiguous"] = rows[:, R_REASON], rows[:, R_AMBIGUOUS]
    _scaled(table, rows[:, R_INSTRUMENT], scales, {"entry_price": prices[:, 0], "exit_price": prices[:, 1]})
    _counted(table, rows[:, R_INSTRUMENT], scales, {"quantity": rows[:, R_LOTS].astype(np.float64)})
    return table


@njit(cache=True)
def _round_trips(
    events: IntArray, worths: FloatArray, marks: FloatArray, last_funding: IntArray
) -> tuple[IntArray, FloatArray]:
    """Columns R_..., and average entry and exit in ticks (nan: open). Money in units."""
    instruments = len(worths)
    trips = np.zeros((instruments, ROUND_TRIP_WIDTH), dtype=np.int64)
    sums = np.zeros(
        (instruments, 6)
    )  # of entries, then of exits: lots, lots x price, the price if it is one only
    value = np.zeros((instruments, 3), dtype=np.int64)  # entered, left, funding at the start
    rows = np.empty((len(events) + instruments, ROUND_TRIP_WIDTH), dtype=np.int64)
    prices = np.empty((len(events) + instruments, 2))
    held = np.zeros(instruments, dtype=np.int64)
    funding = np.zeros(instruments, dtype=np.int64)
    found = 0
    for number in range(len(events)):
        which, told = events[number, E_INSTRUMENT], events[number, E:]
        lots = told[F_LOTS]
        if lots == 0:
            continue
        trip, total = trips[which], sums[which]
        if held[which] == 0:
            trip[:] = 0
            total[:] = 0
            value[which, 0], value[which, 1], value[which, 2] = 0, 0, funding[which]
            trip[R_INSTRUMENT], trip[R_SIDE], trip[R_ENTERED] = which, 1 if lots > 0 else -1, told[F_TIME]
        at = 0 if told[F_REASON] == ENTRY else 3
        price = float(told[F_PRICE])
        total[at + 2] = price if total[at] == 0 or total[at + 2] == price else -1.0
        total[at] += abs(lots)
        total[at + 1] += abs(lots) * price
        value[which, at // 3] += told[F_WORTH]
        trip[R_FEES] += told[F_FEE]
        trip[R_RISK] += told[F_RISK]
        trip[R_AMBIGUOUS] |= told[F_AMBIGUOUS]
        held[which], funding[which] = told[F_LEFT], told[F_FUNDING]
        if held[which] == 0:
            trip[R_EXITED], trip[R_REASON], trip[R_LOTS] = told[F_TIME], told[F_REASON], int(total[0])
            trip[R_FUNDING] = funding[which] - value[which, 2]
            gross = trip[R_SIDE] * (value[which, 1] - value[which, 0])
            trip[R_PROFIT] = gross - trip[R_FEES] - trip[R_FUNDING]
            rows[found] = trip
            prices[found, 0], prices[found, 1] = _mean(total, 0), _mean(total, 3)
            found += 1
    for which in range(instruments):
        if held[which] != 0:
            trip, total = trips[which], sums[which]
            trip[R_EXITED], trip[R_REASON], trip[R_LOTS] = -1, OPEN, int(total[0])
            marked = abs(held[which]) * worths[which] * marks[which]
            gross = trip[R_SIDE] * (value[which, 1] + marked - value[which, 0])
            trip[R_FUNDING] = last_funding[which] - value[which, 2]
            trip[R_PROFIT] = int(np.rint(gross)) - trip[R_FEES] - trip[R_FUNDING]
            rows[found] = trip
            prices[found, 0], prices[found, 1] = _mean(total, 0), np.nan
            found += 1
    return rows[:found], prices[:found]


@njit(cache=True)
def _mean(total: FloatArray, at: int) -> float:
    mean: float = total[at + 2] if total[at + 2] > 0 else total[at + 1] / total[at]
    return mean


def fills_table(events: IntArray, scales: Sequence[Scale]) -> Table:
    told = events[events[:, E + F_LOTS] != 0]
    table = np.empty(len(told), dtype=FILL)
    table["instrument"], table["at"] = told[:, E_INSTRUMENT], told[:, E + F_TIME]
    table["side"], table["fee"] = np.sign(told[:, E + F_LOTS]), told[:, E + F_FEE] / UNITS
    table["reason"], table["ambiguous"] = told[:, E + F_REASON], told[:, E + F_AMBIGUOUS]
    _scaled(table, told[:, E_INSTRUMENT], scales, {"price": told[:, E + F_PRICE].astype(np.float64)})
    lots = np.abs(told[:, E + F_LOTS]).astype(np.float64)
    _counted(table, told[:, E_INSTRUMENT], scales, {"quantity": lots})
    return table


def orders_table(asked: IntArray, events: IntArray, scales: Sequence[Scale]) -> Table:
    table = np.empty(len(asked), dtype=ORDER)
    ended, filled, refusal = _fates(asked, events, len(scales))
    table["instrument"], table["side"] = asked[:, A_INSTRUMENT], asked[:, A_SIDE]
    table["kind"], table["decided_at"], table["ended_at"] = asked[:, A_KIND], asked[:, A_TIME], ended
    table["refusal"] = refusal
    price = np.where(asked[:, A_PRICE] > 0, asked[:, A_PRICE], np.nan)
    quantity = np.where(asked[:, A_LOTS] >= 0, asked[:, A_LOTS], np.nan)
    _scaled(table, asked[:, A_INSTRUMENT], scales, {"price": price})
    counts = {"quantity": quantity, "filled": filled.astype(np.float64)}
    _counted(table, asked[:, A_INSTRUMENT], scales, counts)
    return table


@njit(cache=True)
def _fates(asked: IntArray, events: IntArray, instruments: int) -> tuple[IntArray, IntArray, IntArray]:
    """Of each entry: when the last of it filled or it ended, lots filled, refusal. Orders are numbered from 1."""
    highest = 0
    for number in range(len(asked)):
        highest = max(highest, asked[number, A_ORDER])
    place = np.full((instruments, highest + 1), -1, dtype=np.int64)
    ended = np.full(len(asked), -1, dtype=np.int64)
    filled = np.zeros(len(asked), dtype=np.int64)
    refusal = np.zeros(len(asked), dtype=np.int64)
    for number in range(len(asked)):
        refusal[number] = asked[number, A_REFUSAL]
        if asked[number, A_REFUSAL] != 0:
            ended[number] = asked[number, A_TIME]
        else:
            place[asked[number, A_INSTRUMENT], asked[number, A_ORDER]] = number
    for number in range(len(events)):
        told = events[number, E:]
        if told[F_REASON] != ENTRY or told[F_ORDER] > highest:
            continue
        order = place[events[number, E_INSTRUMENT], told[F_ORDER]]
        if order >= 0:
            ended[order] = told[F_TIME]
            filled[order] += abs(told[F_LOTS])
            refusal[order] = max(refusal[order], told[F_REFUSAL])
    return ended, filled, refusal


def _scaled(table: Table, which: IntArray, scales: Sequence[Scale], columns: dict[str, FloatArray]) -> None:
    for number, scale in enumerate(scales):
        rows = slice(None) if len(scales) == 1 else which == number
        for name, ticks in columns.items():
            table[name][rows] = scale.prices(ticks[rows])


def _counted(table: Table, which: IntArray, scales: Sequence[Scale], columns: dict[str, FloatArray]) -> None:
    for number, scale in enumerate(scales):
        rows = slice(None) if len(scales) == 1 else which == number
        for name, lots in columns.items():
            table[name][rows] = scale.quantities(lots[rows])

"""From the whole numbers of the fill code to the tables of a simulation.

Events are rows of FILL_WIDTH as the step writes them, with the instrument's number before; asked are entries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

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

    def ratios(self) -> tuple[float, float, float, float]:
        """Tick and lot, each as numerator and denominator."""
        fractions = (self.tick, self.lot)
        (tick, per_tick), (lot, per_lot) = ((float(e.numerator), float(e.denominator)) for e in fractions)
        return tick, per_tick, lot, per_lot


def _ratios(scales: Sequence[Scale]) -> FloatArray:
    return np.array([scale.ratios() for scale in scales])


def trades_table(events: IntArray, scales: Sequence[Scale], marks: FloatArray, funding: IntArray) -> Table:
    """Round trips from flat to flat. For what is open: the last close in ticks and the funding until then."""
    worths = np.array([scale.units_per_tick_lot for scale in scales])
    table = np.empty(len(events) // 2 + len(scales), dtype=TRADE)  # a trip that ended is two events at least
    found: Table = table[: _write_trades(table, events, _ratios(scales), worths, marks, funding)]
    return found


def fills_table(events: IntArray, scales: Sequence[Scale]) -> Table:
    table = np.empty(len(events), dtype=FILL)
    found: Table = table[: _write_fills(table, events, _ratios(scales))]
    return found


def orders_table(asked: IntArray, events: IntArray, scales: Sequence[Scale]) -> Table:
    table = np.empty(len(asked), dtype=ORDER)
    _write_orders(table, asked, events, _ratios(scales))
    return table


# Sums of a round trip: lots, lots x price and the price if it is one only, of entries and then of exits.
S_LOTS, S_TICKS, S_PRICE = range(3)
EXITS = 3
# And in units: worth entered, worth left, funding before it, fees, risk, ambiguous, side, entered at.
W_IN, W_OUT, W_FUNDING, W_FEES, W_RISK, W_AMBIGUOUS, W_SIDE, W_TIME = range(8)


@njit(cache=True, nogil=True)
def _write_trades(
    table: Table,
    events: IntArray,
    ratios: FloatArray,
    worths: FloatArray,
    marks: FloatArray,
    last_funding: IntArray,
) -> int:
    """How many there are."""
    instruments = len(worths)
    sums = np.zeros((instruments, 6))
    units = np.zeros((instruments, 8), dtype=np.int64)
    held, funding = np.zeros(instruments, dtype=np.int64), np.zeros(instruments, dtype=np.int64)
    found = 0
    for number in range(len(events)):
        lots = events[number, E + F_LOTS]
        if lots == 0:
            continue
        which, time, reason = (
            events[number, E_INSTRUMENT],
            events[number, E + F_TIME],
            events[number, E + F_REASON],
        )
        if held[which] == 0:
            sums[which] = 0.0
            units[which] = 0
            units[which, W_FUNDING], units[which, W_TIME] = funding[which], time
            units[which, W_SIDE] = 1 if lots > 0 else -1
        at, moved, price = (
            0 if reason == ENTRY else EXITS,
            float(abs(lots)),
            float(events[number, E + F_PRICE]),
        )
        one = sums[which, at + S_LOTS] == 0 or sums[which, at + S_PRICE] == price
        sums[which, at + S_PRICE] = price if one else -1.0
        sums[which, at + S_LOTS] += moved
        sums[which, at + S_TICKS] += moved * price
        units[which, W_IN if at == 0 else W_OUT] += events[number, E + F_WORTH]
        units[which, W_FEES] += events[number, E + F_FEE]
        units[which, W_RISK] += events[number, E + F_RISK]
        units[which, W_AMBIGUOUS] |= events[number, E + F_AMBIGUOUS]
        held[which], funding[which] = events[number, E + F_LEFT], events[number, E + F_FUNDING]
        if held[which] == 0:
            gross = units[which, W_SIDE] * (units[which, W_OUT] - units[which, W_IN])
            trade = table[found]
            _write_trade(trade, which, sums[which], units[which], funding[which], gross, ratios[which])
            trade.exited_at, trade.exit_reason = time, reason
            trade.exit_price = _mean(sums[which], EXITS) * ratios[which, 0] / ratios[which, 1]
            found += 1
    for which in range(instruments):
        if held[which] != 0:
            marked = abs(held[which]) * worths[which] * marks[which]
            gross = int(np.rint(units[which, W_SIDE] * (units[which, W_OUT] + marked - units[which, W_IN])))
            trade = table[found]
            _write_trade(trade, which, sums[which], units[which], last_funding[which], gross, ratios[which])
            trade.exited_at, trade.exit_reason, trade.exit_price = -1, OPEN, np.nan
            found += 1
    return found


@njit(cache=True, nogil=True)
def _write_trade(
    trade: Any, which: int, total: FloatArray, units: IntArray, funding: int, gross: int, ratios: FloatArray
) -> None:
    """All of a trade but its end."""
    paid = funding - units[W_FUNDING]
    profit = gross - units[W_FEES] - paid
    trade.instrument, trade.side, trade.entered_at = which, units[W_SIDE], units[W_TIME]
    trade.quantity = total[S_LOTS] * ratios[2] / ratios[3]
    trade.entry_price = _mean(total, 0) * ratios[0] / ratios[1]
    trade.fees, trade.funding, trade.net_profit = units[W_FEES] / UNITS, paid / UNITS, profit / UNITS
    trade.r_multiple = profit / float(units[W_RISK]) if units[W_RISK] != 0 else np.nan
    trade.ambiguous = units[W_AMBIGUOUS] != 0


@njit(cache=True, nogil=True)
def _mean(total: FloatArray, at: int) -> float:
    mean: float = total[at + S_PRICE] if total[at + S_PRICE] > 0 else total[at + S_TICKS] / total[at + S_LOTS]
    return mean


@njit(cache=True, nogil=True)
def _write_fills(table: Table, events: IntArray, ratios: FloatArray) -> int:
    """How many there are."""
    found = 0
    for number in range(len(events)):
        lots = events[number, E + F_LOTS]
        if lots == 0:
            continue
        which, fill = events[number, E_INSTRUMENT], table[found]
        fill.instrument, fill.at, fill.side = which, events[number, E + F_TIME], 1 if lots > 0 else -1
        fill.quantity = float(abs(lots)) * ratios[which, 2] / ratios[which, 3]
        fill.price = float(events[number, E + F_PRICE]) * ratios[which, 0] / ratios[which, 1]
        fill.fee, fill.reason = events[number, E + F_FEE] / UNITS, events[number, E + F_REASON]
        fill.ambiguous = events[number, E + F_AMBIGUOUS] != 0
        found += 1
    return found


@njit(cache=True, nogil=True)
def _write_orders(table: Table, asked: IntArray, events: IntArray, ratios: FloatArray) -> None:
    """Of each entry also its fate: when the last of it filled or it ended. Orders are numbered from 1."""
    highest = 0
    for number in range(len(asked)):
        highest = max(highest, asked[number, A_ORDER])
    place = np.full((len(ratios), highest + 1), -1, dtype=np.int64)
    filled = np.zeros(len(asked), dtype=np.int64)
    for number in range(len(asked)):
        which, order = asked[number, A_INSTRUMENT], table[number]
        price, lots, refusal = asked[number, A_PRICE], asked[number, A_LOTS], asked[number, A_REFUSAL]
        order.instrument, order.side, order.kind = which, asked[number, A_SIDE], asked[number, A_KIND]
        order.decided_at, order.refusal = asked[number, A_TIME], refusal
        order.price = float(price) * ratios[which, 0] / ratios[which, 1] if price > 0 else np.nan
        order.quantity = float(lots) * ratios[which, 2] / ratios[which, 3] if lots >= 0 else np.nan
        order.ended_at = asked[number, A_TIME] if refusal != 0 else -1
        if refusal == 0:
            place[which, asked[number, A_ORDER]] = number
    for number in range(len(events)):
        if events[number, E + F_REASON] != ENTRY or events[number, E + F_ORDER] > highest:
            continue
        row = place[events[number, E_INSTRUMENT], events[number, E + F_ORDER]]
        if row >= 0:
            order = table[row]
            order.ended_at = events[number, E + F_TIME]
            order.refusal = max(order.refusal, events[number, E + F_REFUSAL])
            filled[row] += abs(events[number, E + F_LOTS])
    for number in range(len(asked)):
        which = asked[number, A_INSTRUMENT]
        table[number].filled = float(filled[number]) * ratios[which, 2] / ratios[which, 3]

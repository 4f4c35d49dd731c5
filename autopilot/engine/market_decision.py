"""What was decided at a close becomes an order of an instrument's book, or a refusal. Compiled.

`market_path` calls it for each instrument in turn; the account's limits and what it pays for are judged here.
"""

import numpy as np
from numba import njit

from autopilot.engine.tables import (
    A_INSTRUMENT,
    A_KIND,
    A_LOTS,
    A_ORDER,
    A_PRICE,
    A_REFUSAL,
    A_SIDE,
    A_TIME,
)
from signals.engine.candle import FloatArray
from signals.engine.fill.book import add_order, end_at_open, withdraw_entries
from signals.engine.fill.layout import (
    CANNOT_SHORT,
    COUNT,
    HEAD,
    LESS_THAN_ONE_LOT,
    LIMITED,
    LOTS,
    NO_FUNDS,
    NO_ROOM,
    NOT_REFUSED,
    ORDER_WIDTH,
    OVERFLOW,
    PRICE,
    REASON,
    REMAINING,
    IntArray,
)
from signals.engine.fill.money import TOO_LARGE, share, worth
from signals.engine.fill.orders import CLOSED, ENTRY
from signals.engine.fill.terms import T_DENOMINATOR, T_MARGIN, T_NUMERATOR, T_TAKER

# What is decided at the close of a bar, one row per bar.
D_SIDE, D_KIND, D_PRICE, D_STOP, D_TARGET, D_TRAIL, D_GOOD, D_HOLD, D_EXIT, D_ADDS, D_OPPOSITE, D_BARRED = (
    range(12)
)
DECISION_WIDTH = 12
SIZE_FIXED, SIZE_FRACTION, SIZE_RISK, SIZE_VOLATILITY = range(4)
# How much: kind, amount (lots for SIZE_FIXED come per instrument), and the limits (0: none).
S_KIND, S_AMOUNT, S_POSITIONS, S_EXPOSURE, S_COVERED = range(5)
CLOSE, REVERSE = 1, 2


@njit(cache=True, nogil=True)
def _wanted(row: IntArray, decision: IntArray) -> tuple[int, bool]:
    """The side to enter (0: none) and whether what is held is left first."""
    side, held = decision[D_SIDE], 1 if row[LOTS] > 0 else -1 if row[LOTS] < 0 else 0
    leaves = held != 0 and decision[D_EXIT] == 1
    if held * side < 0:
        enters = leaves or decision[D_OPPOSITE] == REVERSE
        return side if enters else 0, leaves or decision[D_OPPOSITE] >= CLOSE
    if held * side > 0 and not leaves and decision[D_ADDS] == 0:
        return 0, leaves
    return side, leaves


@njit(cache=True, nogil=True)
def decide(  # noqa: PLR0913, PLR0917  (compiled)
    rows: IntArray,
    closes: IntArray,
    worths: FloatArray,
    terms: IntArray,
    which: int,
    decision: IntArray,
    size: int,
    sizing: FloatArray,
    worth_now: float,
    free: int,
    time: int,
    asked: IntArray,
) -> int:
    """Ask for what was decided: how many entries were (0 or 1), or why an order cannot be (negative)."""
    row = rows[which]
    side, leaves = _wanted(row, decision)
    if leaves:
        end_at_open(row, CLOSED)
    if side == 0:
        return 0
    if decision[D_ADDS] == 0:
        withdraw_entries(row)
    leaving = which if leaves else -1
    room = size
    if sizing[S_EXPOSURE] > 0:
        left = sizing[S_EXPOSURE] * worth_now - _exposure(rows, closes, worths, leaving)
        room = int(min(max(np.floor(left / (worths[which] * float(closes[which]))), 0.0), 2.0**60))
    lots = min(size, room)
    asked[:] = 0
    asked[A_INSTRUMENT], asked[A_TIME], asked[A_SIDE], asked[A_KIND] = which, time, side, decision[D_KIND]
    asked[A_PRICE], asked[A_LOTS] = decision[D_PRICE], lots
    asked[A_REFUSAL] = _refusal(rows, closes, terms, which, decision, size, lots, sizing, free)
    if asked[A_REFUSAL] < 0:
        return int(asked[A_REFUSAL])
    if asked[A_REFUSAL] != NOT_REFUSED:
        return 1
    kind, price, good, hold = decision[D_KIND], decision[D_PRICE], decision[D_GOOD], decision[D_HOLD]
    stop, target, trail = decision[D_STOP], decision[D_TARGET], decision[D_TRAIL]
    number = add_order(row, side, kind, price, lots, ENTRY, good, stop, target, trail, hold, 0)
    asked[A_ORDER] = number
    return 1 if number > 0 else number


@njit(cache=True, nogil=True)
def _put_up(price: int, lots: int, terms: IntArray) -> int:
    """Units that an entry at that price puts up, without its fee; TOO_LARGE beyond int64."""
    value = worth(price, lots, terms[T_NUMERATOR], terms[T_DENOMINATOR], True)
    return value if value == TOO_LARGE else share(value, terms[T_MARGIN])


@njit(cache=True, nogil=True)
def _waiting(rows: IntArray, closes: IntArray, terms: IntArray) -> int:
    """What entries that wait will put up, at their own price or the last close."""
    total = 0
    for which in range(len(rows)):
        for slot in range(rows[which, COUNT]):
            place = HEAD + slot * ORDER_WIDTH
            if rows[which, place + REASON] == ENTRY:
                price = rows[which, place + PRICE] if rows[which, place + PRICE] > 0 else closes[which]
                total += max(_put_up(price, rows[which, place + REMAINING], terms[which]), 0)
    return total


@njit(cache=True, nogil=True)
def _refusal(  # noqa: PLR0911, PLR0913, PLR0917  (compiled; one answer per rule)
    rows: IntArray,
    closes: IntArray,
    terms: IntArray,
    which: int,
    decision: IntArray,
    size: int,
    lots: int,
    sizing: FloatArray,
    free: int,
) -> int:
    """Why an entry of `lots`, of the `size` that was meant, is not placed; NOT_REFUSED, or a negative status."""
    if decision[D_BARRED] == 1:
        return CANNOT_SHORT
    if size < 1:
        return LESS_THAN_ONE_LOT
    if sizing[S_POSITIONS] > 0 and _occupied(rows, which) >= sizing[S_POSITIONS]:
        return NO_ROOM
    if lots < 1:
        return LIMITED
    if sizing[S_COVERED] == 0:
        return NOT_REFUSED
    price = decision[D_PRICE] if decision[D_PRICE] > 0 else closes[which]
    value = _put_up(price, lots, terms[which])
    if value == TOO_LARGE:
        return OVERFLOW
    fee = share(
        worth(price, lots, terms[which, T_NUMERATOR], terms[which, T_DENOMINATOR], True),
        terms[which, T_TAKER],
    )
    return NO_FUNDS if free - _waiting(rows, closes, terms) < value + fee else NOT_REFUSED


@njit(cache=True, nogil=True)
def size_of(
    close: int,
    worth_each: float,
    decision: IntArray,
    volatility: float,
    fixed: int,
    sizing: FloatArray,
    worth_now: float,
) -> int:
    kind, amount = int(sizing[S_KIND]), sizing[S_AMOUNT]
    if kind == SIZE_FIXED:
        return fixed
    around = float(decision[D_PRICE] if decision[D_PRICE] > 0 else close)
    if kind == SIZE_FRACTION:
        lots = amount * worth_now / (around * worth_each)
    elif kind == SIZE_RISK:
        distance = abs(around - float(decision[D_STOP]))
        lots = amount * worth_now / (distance * worth_each) if distance > 0 else 0.0
    else:
        lots = amount * worth_now / volatility / (around * worth_each) if volatility > 0 else 0.0
    return int(min(max(np.floor(lots), 0.0), 2.0**60))


@njit(cache=True, nogil=True)
def _occupied(rows: IntArray, asking: int) -> int:
    """Other instruments that hold a position or wait for one."""
    taken = 0
    for which in range(len(rows)):
        if which == asking:
            continue
        waits = False
        for slot in range(rows[which, COUNT]):
            waits = waits or rows[which, HEAD + slot * ORDER_WIDTH + REASON] == ENTRY
        if rows[which, LOTS] != 0 or waits:
            taken += 1
    return taken


@njit(cache=True, nogil=True)
def _exposure(rows: IntArray, closes: IntArray, worths: FloatArray, leaving: int) -> float:
    """Worth of all positions and waiting entries, whatever their side."""
    total = 0.0
    for which in range(len(rows)):
        lots = 0 if which == leaving else abs(rows[which, LOTS])
        for slot in range(rows[which, COUNT]):
            place = HEAD + slot * ORDER_WIDTH
            if rows[which, place + REASON] == ENTRY:
                lots += rows[which, place + REMAINING]
        total += float(lots) * worths[which] * float(closes[which])
    return total

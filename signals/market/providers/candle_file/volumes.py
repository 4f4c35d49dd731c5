"""Which volume is in the base currency.

By the header where it says so, and by arithmetic: a bar's volume in the quote currency is its volume in the base
times about the price. That finds columns of one name, contracts of a fixed value beside an amount (Binance's
COIN-M), and rows whose two volumes stand in each other's column: Bitstamp's published file changed their order in
October 2020 and kept the header.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.market.providers.candle_file.volume_names import VolumeKind, currencies, volume_kind

TOLERANCE = 1.1  # trades of a bar average between its low and high; both columns are rounded
MOST_ROWS = 0.9
CONTRACT_VALUES = (5.0, 10.0, 50.0, 100.0, 1_000.0)
ORDER = (VolumeKind.BASE, VolumeKind.PLAIN, VolumeKind.TICKS)

Mask = npt.NDArray[np.bool_]


class UnclearVolumeError(ValueError):
    """Nobody can tell which of two columns is the volume; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Volume in the base currency, the rows in which it stood in the other column, and what had to be understood."""

    base: FloatArray
    swapped: Mask
    notes: list[str]


@dataclass(frozen=True, eq=False)
class _Candidate:
    name: str
    kind: VolumeKind
    values: FloatArray


def candidates(names: Sequence[str]) -> list[int]:
    """Positions of columns that may be a volume, whatever the symbol is."""
    return [
        place
        for place, name in enumerate(names)
        if volume_kind(name, "", "")
        or ((words := set(name.split("_"))) & {"volume", "vol"} and not words & {"taker", "buy", "sell"})
    ]


def base_volume(
    columns: Sequence[tuple[str, FloatArray]], symbol: str | None, prices: Mapping[str, FloatArray]
) -> Volume:
    """`columns` are (normalised name, values). Raises UnclearVolumeError."""
    base, quote = currencies(symbol, [name for name, _ in columns])
    named = [(name, volume_kind(name, base, quote), values) for name, values in columns]
    every = [_Candidate(name, kind, values) for name, kind, values in named if kind]
    rows = len(prices["close"])
    nothing = Volume(np.zeros(rows), np.zeros(rows, dtype=np.bool_), ["no volume column: stored as 0"])
    found = [one for one in every if bool((np.nan_to_num(one.values) != 0).any())]
    if not found:
        stored = next((one for kind in ORDER for one in every if one.kind is kind), None)
        return _as_told(stored) if stored and not np.isnan(stored.values).all() else nothing
    of_base = [one for kind in ORDER for one in found if one.kind is kind]
    of_quote = [one for one in found if one.kind is VolumeKind.QUOTE] + [
        one for one in found if one.kind is VolumeKind.PLAIN and one is not of_base[0]
    ]
    if of_base and of_quote and (swapped := _by_header(of_base[0], of_quote[0], prices)):
        return swapped
    return _by_ratio(found, prices) or _without_ratio(of_base, found, nothing)


def _as_told(one: _Candidate) -> Volume:
    notes = ["volume in ticks, not in the base currency"] if one.kind is VolumeKind.TICKS else []
    return Volume(one.values, np.zeros(len(one.values), dtype=np.bool_), notes)


def _by_header(base: _Candidate, quote: _Candidate, prices: Mapping[str, FloatArray]) -> Volume | None:
    """As the header says, row by row corrected, where each row's ratio is about the price one way or the other."""
    straight = _about_price(quote.values, base.values, prices)
    crossed = _about_price(base.values, quote.values, prices)
    if base.kind is VolumeKind.TICKS or not _mostly(straight | crossed, base.values, quote.values):
        return None
    swapped = crossed & ~straight
    if base.name == quote.name or swapped.all():
        # One name, or all rows the other way round: the column is the other one, no row is out of place.
        if _mostly(swapped, base.values, quote.values):
            return Volume(quote.values, np.zeros_like(swapped), [_by_arithmetic(quote)])
        if base.name == quote.name:
            return Volume(base.values, np.zeros_like(swapped), [_by_arithmetic(base)])
    return Volume(np.where(swapped, quote.values, base.values), swapped, [])


def _by_ratio(found: list[_Candidate], prices: Mapping[str, FloatArray]) -> Volume | None:
    """The one column whose product with the price, or with a contract's value over it, is another's."""
    none = np.zeros(len(prices["close"]), dtype=np.bool_)
    for base, quote in permutations(found, 2):
        if _mostly(_about_price(quote.values, base.values, prices), base.values, quote.values):
            return Volume(base.values, none, [_by_arithmetic(base)])
    for base, contracts in permutations(found, 2):
        for value in CONTRACT_VALUES:
            worth = contracts.values * value
            if _mostly(_about_price(worth, base.values, prices), base.values, contracts.values):
                note = (
                    f"{contracts.name} counts contracts of {value:g}: the amount in the base is {base.name}"
                )
                return Volume(base.values, none, [note])
    return None


def _without_ratio(of_base: list[_Candidate], found: list[_Candidate], nothing: Volume) -> Volume:
    if not of_base:
        names = ", ".join(one.name for one in found)
        return Volume(nothing.base, nothing.swapped, [f"only {names}, not in the base currency: stored as 0"])
    chosen = of_base[0]
    others = [one for one in found if one is not chosen and one.kind is not VolumeKind.TICKS]
    twin = next((one for one in others if one.name == chosen.name), None)
    if twin is not None and not np.array_equal(twin.values, chosen.values, equal_nan=True):
        raise UnclearVolumeError(
            f"two columns are named {chosen.name}, and their ratio is not the price: name them base_volume and "
            "quote_volume, or remove one"
        )
    told = _as_told(chosen)
    doubted = [one.name for one in others if one.kind is not VolumeKind.CONTRACTS and one is not twin]
    if doubted:
        doubt = f"{chosen.name} taken for the base's volume: its ratio to {doubted[0]} is not the price"
        return Volume(told.base, told.swapped, [*told.notes, doubt])
    return told


def _by_arithmetic(one: _Candidate) -> str:
    return f"{one.name} is the base's volume, by its ratio to the price"


def _mostly(fits: Mask, *columns: FloatArray) -> bool:
    """Whether the ratio fits in most rows in which there is one."""
    told = np.logical_and.reduce([np.nan_to_num(column) > 0 for column in columns])
    return bool(told.any()) and float(fits[told].mean()) >= MOST_ROWS


def _about_price(numerator: FloatArray, denominator: FloatArray, prices: Mapping[str, FloatArray]) -> Mask:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = numerator / denominator
    fits: Mask = (ratio > prices["low"] / TOLERANCE) & (ratio < prices["high"] * TOLERANCE)
    return fits

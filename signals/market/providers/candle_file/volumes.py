"""Which volume is in the base currency, row by row.

Bitstamp's published file changed the order of its two volume columns in October 2020 and kept the header: only
their ratio, which must be about the price, tells which is which.
"""

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.market.providers.candle_file.columns import numbers
from signals.market.providers.candle_file.table import Table

BASE_NAMES = ("base_volume", "volume_base", "volume_from", "volumefrom")
QUOTE_NAMES = ("quote_volume", "volume_quote", "volume_to", "volumeto", "quote_asset_volume")
PLAIN_NAMES = ("volume", "vol", "tick_volume")
TOLERANCE = 1.1  # trades of a bar average between its low and high; both columns are rounded

Mask = npt.NDArray[np.bool_]


def base_volume(
    table: Table, symbol: str | None, readable: Mask, prices: dict[str, FloatArray]
) -> tuple[FloatArray, Mask, list[str]]:
    """Volume in the base currency, where the two columns were swapped, and what had to be understood."""
    base, quote = volume_columns(table, (symbol or "").replace("/", "").replace("-", "").lower())
    bars = int(readable.sum())
    if base is None:
        return np.zeros(bars), np.zeros(bars, dtype=bool), ["no volume column: stored as 0"]
    volume = numbers(table, base)[readable]
    if quote is None:
        return volume, np.zeros(bars, dtype=bool), []
    other = numbers(table, quote)[readable]
    swapped = _about_price(volume, other, prices) & ~_about_price(other, volume, prices)
    return np.where(swapped, other, volume), swapped, []


def volume_columns(table: Table, symbol: str) -> tuple[str | None, str | None]:
    """Names of the columns in base and in quote currency, by the header."""
    suffixed = {name: name.removeprefix("volume_") for name in table.columns if name.startswith("volume_")}
    base = [name for name, currency in suffixed.items() if symbol.startswith(currency)]
    quote = [name for name, currency in suffixed.items() if symbol.endswith(currency)]
    plain = [name for name in PLAIN_NAMES if name in table.columns]
    bases = [*base, *(name for name in BASE_NAMES if name in table.columns), *plain]
    if not bases:
        return None, None
    quotes = [*quote, *(name for name in QUOTE_NAMES if name in table.columns), *(plain if base else [])]
    return bases[0], next((name for name in quotes if name != bases[0]), None)


def _about_price(numerator: FloatArray, denominator: FloatArray, prices: dict[str, FloatArray]) -> Mask:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = numerator / denominator
    fits: Mask = (ratio > prices["low"] / TOLERANCE) & (ratio < prices["high"] * TOLERANCE)
    return fits

"""Prices in points: whole multiples of the smallest step, as some brokers publish them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from signals.engine.candle import FloatArray
from signals.market.providers.candle_file.error import FileRefusedError

# No rate between two of these has ever been as high as 1,000.
MAJORS = {"usd", "eur", "gbp", "jpy", "chf", "aud", "cad", "nzd", "sek", "nok"}
HIGHEST_RATE = 1_000.0
ENOUGH_BARS = 20
NEARLY_ALL = 0.99
DIGITS_KEPT = 12  # of a float's sixteen: the rest is the noise of the product


def scaled(
    path: Path, prices: Mapping[str, FloatArray], symbol: str | None, price_scale: float | None
) -> dict[str, FloatArray]:
    """Prices times `price_scale`, without the float noise of that product; as they are where none is given.

    Raises FileRefusedError when they look like points and no scale was given. Absent prices are no evidence.
    """
    if price_scale is not None:
        return {name: _times(column, price_scale) for name, column in prices.items()}
    told = np.logical_and.reduce([np.isfinite(column) & (column > 0) for column in prices.values()])
    sound = prices if told.all() else {name: column[told] for name, column in prices.items()}
    if _look_like_points(sound) or _beyond_any_rate(sound, symbol):
        close = sound["close"][0]
        raise FileRefusedError(
            path,
            f"prices look like points, not prices (the first bar closes at {close:.10g}): give --price-scale, "
            f"e.g. 0.00001 for {close * 1e-5:.10g}, or 1 if they are right",
        )
    return dict(prices)


def _times(column: FloatArray, factor: float) -> FloatArray:
    """To significant digits, not to decimals: a price may be 1e-9."""
    product = column * factor
    return np.array([float(f"{value:.{DIGITS_KEPT}g}") for value in product.tolist()], dtype=np.float64)


def _look_like_points(prices: Mapping[str, FloatArray]) -> bool:
    if len(prices["close"]) < ENOUGH_BARS:
        return False
    shares = [
        float(((np.abs(column - np.rint(column)) < 1e-6) & (column >= HIGHEST_RATE)).mean())
        for column in prices.values()
    ]
    return min(shares) >= NEARLY_ALL


def _beyond_any_rate(prices: Mapping[str, FloatArray], symbol: str | None) -> bool:
    letters = "".join(filter(str.isalpha, (symbol or "").split(":")[0])).lower()
    is_rate = len(letters) == 6 and {letters[:3], letters[3:]} <= MAJORS
    return is_rate and len(prices["close"]) > 0 and float(np.median(prices["close"])) >= HIGHEST_RATE

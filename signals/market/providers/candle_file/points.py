"""Prices in points: whole multiples of the smallest step, as some brokers publish them."""

from pathlib import Path

import numpy as np

from signals.engine.candle import FloatArray
from signals.market.providers.candle_file.error import FileRefusedError

# No rate between two of these has ever been as high as 1,000.
MAJORS = {"usd", "eur", "gbp", "jpy", "chf", "aud", "cad", "nzd", "sek", "nok"}
HIGHEST_RATE = 1_000.0
ENOUGH_BARS = 20
DECIMALS_KEPT = 10


def scaled(
    path: Path, prices: dict[str, FloatArray], symbol: str | None, price_scale: float | None
) -> dict[str, FloatArray]:
    """Prices times `price_scale`, without the float noise of that product; as they are where none is given.

    Raises FileRefusedError when they look like points and no scale was given.
    """
    if price_scale is not None:
        return {name: np.round(column * price_scale, DECIMALS_KEPT) for name, column in prices.items()}
    if _look_like_points(prices) or _beyond_any_rate(prices, symbol):
        close = prices["close"][0]
        raise FileRefusedError(
            path,
            f"prices look like points, not prices (the first bar closes at {close:.10g}): give --price-scale, "
            f"e.g. 0.00001 for {close * 1e-5:.10g}, or 1 if they are right",
        )
    return prices


def _look_like_points(prices: dict[str, FloatArray]) -> bool:
    columns = np.concatenate(list(prices.values()))
    whole = np.abs(columns - np.rint(columns)) < 1e-6
    return len(prices["close"]) >= ENOUGH_BARS and bool(whole.all()) and float(columns.min()) >= HIGHEST_RATE


def _beyond_any_rate(prices: dict[str, FloatArray], symbol: str | None) -> bool:
    letters = (symbol or "").replace("/", "").lower()
    is_rate = len(letters) == 6 and {letters[:3], letters[3:]} <= MAJORS
    return is_rate and len(prices["close"]) > 0 and float(np.nanmedian(prices["close"])) >= HIGHEST_RATE

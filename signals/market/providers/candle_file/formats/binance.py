"""Binance's public data (data.binance.vision): spot without a header, futures with one; microseconds since 2025."""

import re

from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file.file_format import FileFormat, known, usual_timeframe

NAMED = re.compile(r"-(\d+[a-zA-Z]+)-\d{4}-\d{2}")


def timeframe_in(stem: str) -> Timeframe | None:
    """`BTCUSDT-1h-2025-01`; a month is `1M` or `1mo` there and no minute."""
    found = NAMED.search(stem)
    return known(found[1]) if found else usual_timeframe(stem)


FORMAT = FileFormat(
    name="binance",
    layouts=(
        (
            "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
            "taker_buy_volume", "taker_buy_quote_volume", "ignore",
        ),
    ),
    marks=frozenset({"taker_buy_volume", "taker_buy_base_asset_volume", "taker_buy_quote_volume"}),
    timeframe_in=timeframe_in,
)  # fmt: skip

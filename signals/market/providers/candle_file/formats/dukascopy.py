"""Dukascopy's web export: `Gmt time` or `Local time` as 02.01.2024 00:00:00.000, the latter with its offset."""

import re

from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file.file_format import FileFormat, known, usual_timeframe

NAMED = re.compile(r"Candlestick_(\d+)_(m|min|h|hour|d|day)", re.IGNORECASE)


def timeframe_in(stem: str) -> Timeframe | None:
    """`EURUSD_Candlestick_1_h_BID_01.01.2024-31.01.2024`."""
    found = NAMED.search(stem)
    return known(f"{found[1]}{found[2][0].lower()}") if found else usual_timeframe(stem)


FORMAT = FileFormat(
    name="dukascopy",
    layouts=(("time", "open", "high", "low", "close", "volume"),),
    marks=frozenset({"gmt_time", "local_time"}),
    timeframe_in=timeframe_in,
)

"""Kraken's downloadable OHLCVT: no header, and a row only where something was traded.

https://support.kraken.com/articles/360047124832; the API's rows carry the average price before the volume.
"""

import re

from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file.file_format import FileFormat, of_minutes, usual_timeframe

NAMED = re.compile(r"_(\d{1,5})$")


def timeframe_in(stem: str) -> Timeframe | None:
    """`XBTUSD_60`: minutes."""
    found = NAMED.search(stem)
    return of_minutes(int(found[1])) if found else usual_timeframe(stem)


FORMAT = FileFormat(
    name="kraken",
    layouts=(
        ("time", "open", "high", "low", "close", "volume", "trades"),
        ("time", "open", "high", "low", "close", "_", "volume", "trades"),
    ),
    timeframe_in=timeframe_in,
)

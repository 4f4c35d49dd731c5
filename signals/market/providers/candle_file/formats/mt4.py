"""MetaTrader 4: no header, date and time in two columns, volume in ticks, the minutes at the end of the file's name."""

import re

from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file.file_format import FileFormat, of_minutes, usual_timeframe

NAMED = re.compile(r"^[A-Za-z.#]+?(\d{1,4})(?:_|$)")


def timeframe_in(stem: str) -> Timeframe | None:
    """`EURUSD60`, `XAUUSD1440`."""
    found = NAMED.search(stem)
    return usual_timeframe(stem) or (of_minutes(int(found[1])) if found else None)


FORMAT = FileFormat(
    name="mt4",
    layouts=(("date", "clock", "open", "high", "low", "close", "tick_volume"),),
    timeframe_in=timeframe_in,
)

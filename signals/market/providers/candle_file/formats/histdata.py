"""HistData.com: `20120201 000000;1.30660;...` or MetaTrader's columns, in New York's winter time all year."""

import re
from zoneinfo import ZoneInfo

from signals.market.providers.candle_file.file_format import FileFormat

NAMED = re.compile(r"^DAT_(?:ASCII|MT|XLSX)_", re.IGNORECASE)

FORMAT = FileFormat(
    name="histdata",
    layouts=(
        ("time", "open", "high", "low", "close", "volume"),
        ("date", "clock", "open", "high", "low", "close", "volume"),
    ),
    zone=ZoneInfo("Etc/GMT+5"),  # five hours behind UTC: the sign is POSIX's
    is_named=lambda stem: bool(NAMED.match(stem)),
)

"""MetaTrader 5: <DATE> <TIME> <OPEN> ... <TICKVOL> <VOL> <SPREAD> with tabs, often UTF-16.

Daily bars have no <TIME>. Times are the broker's, mostly Athens': say so with --timezone.
"""

from signals.market.providers.candle_file.file_format import FileFormat

FORMAT = FileFormat(
    name="mt5",
    layouts=(
        ("date", "clock", "open", "high", "low", "close", "tick_volume", "real_volume", "spread"),
        ("date", "open", "high", "low", "close", "tick_volume", "real_volume", "spread"),
    ),
    marks=frozenset({"tickvol"}),
)

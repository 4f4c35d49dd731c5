"""Time, open, high, low, close and mostly a volume, without a header."""

from signals.market.providers.candle_file.file_format import FileFormat

FORMAT = FileFormat(
    name="plain",
    layouts=(
        ("time", "open", "high", "low", "close", "volume"),
        ("time", "open", "high", "low", "close"),
    ),
)

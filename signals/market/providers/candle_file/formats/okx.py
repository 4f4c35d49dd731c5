"""OKX: volume in contracts (spot: in the base), in the base, in the quote currency, and whether the bar is closed."""

from signals.market.providers.candle_file.file_format import FileFormat

FORMAT = FileFormat(
    name="okx",
    layouts=(
        ("time", "open", "high", "low", "close", "volume", "volume_base", "volume_quote", "confirm"),
        ("time", "open", "high", "low", "close", "volume", "volume_base"),
    ),
    marks=frozenset({"volccy", "volccyquote", "vol_ccy", "vol_ccy_quote"}),
)

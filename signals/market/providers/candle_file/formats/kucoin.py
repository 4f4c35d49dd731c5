"""Rows of KuCoin's API as programs save them: the close comes second, turnover last."""

from signals.market.providers.candle_file.file_format import FileFormat

FORMAT = FileFormat(
    name="kucoin", layouts=(("time", "open", "close", "high", "low", "volume", "quote_volume"),)
)

"""Rows of Bitfinex's API as programs save them: the close comes second."""

from signals.market.providers.candle_file.file_format import FileFormat

FORMAT = FileFormat(name="bitfinex", layouts=(("time", "open", "close", "high", "low", "volume"),))

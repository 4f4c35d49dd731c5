"""Rows of Coinbase's API as programs save them: low and high come before open and close."""

from signals.market.providers.candle_file.file_format import FileFormat

FORMAT = FileFormat(name="coinbase", layouts=(("time", "low", "high", "open", "close", "volume"),))

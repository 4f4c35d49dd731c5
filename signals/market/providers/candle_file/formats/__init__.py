"""All named formats, in the order in which a file without a header is tried."""

from collections.abc import Mapping
from types import MappingProxyType

from signals.market.providers.candle_file.file_format import FileFormat
from signals.market.providers.candle_file.formats import (
    binance,
    bitfinex,
    coinbase,
    dukascopy,
    histdata,
    kraken,
    kucoin,
    mt4,
    mt5,
    okx,
    plain,
    yfinance,
)

FORMATS: Mapping[str, FileFormat] = MappingProxyType(
    {
        module.FORMAT.name: module.FORMAT
        for module in (
            binance, kraken, okx, mt4, mt5, plain, coinbase, bitfinex, kucoin, dukascopy, histdata, yfinance
        )
    }
)  # fmt: skip

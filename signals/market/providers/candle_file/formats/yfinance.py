"""yfinance: since 0.2.5x three header rows, of the prices, the ticker and the index's name."""

from signals.market.providers.candle_file.file_format import FileFormat

FORMAT = FileFormat(name="yfinance", marks=frozenset({"stock_splits", "adj_close"}))
INDEX_NAMES = frozenset({"date", "datetime", "timestamp", "time", ""})


def read_tickers(cells: list[str]) -> list[str] | None:
    """The tickers of a row such as `Ticker,BTC-USD,BTC-USD`, each once; None for any other row."""
    first, *others = (cell.strip() for cell in cells)
    if first.lower() not in ("ticker", "tickers", "symbol", "") or not others or not all(others):
        return None
    if any(cell.replace(".", "").replace("-", "").isdigit() for cell in others):
        return None
    return sorted({cell.removesuffix("=X") for cell in others})


def is_index_name(cells: list[str]) -> bool:
    """Whether it is a row such as `Date,,,,,`."""
    first, *others = (cell.strip() for cell in cells)
    return first.lower() in INDEX_NAMES and bool(first) and not any(others)

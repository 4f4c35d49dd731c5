"""Files without a header, by whose they are; and what a vendor's header tells beyond names."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file import FORMATS, FileRefusedError
from tests.signals.market.providers.candle_file.made import ATHENS, Bar, bars, read, table, told, truth


def rows(found: list[Bar], write: Callable[[Bar], list[object]], delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(map(str, write(bar))) for bar in found) + "\n"


def epoch(bar: Bar, unit: int = 1) -> int:
    return int(bar.opened.timestamp() * unit)


WRITERS: dict[str, tuple[str, str, Callable[[Bar], list[object]], str]] = {
    "binance": (
        "BTCUSDT-1h-2024-01.csv", ",",
        lambda b: [epoch(b, 1_000), *b.prices, b.volume, epoch(b, 1_000) + 3_599_999, 1.0, 9, 1, 2, 0], "",
    ),
    "binance, microseconds": (
        "BTCUSDT-1h-2025-01-01.csv", ",",
        lambda b: [epoch(b, 10**6), *b.prices, b.volume, epoch(b, 10**6) + 3_599_999_999, 1.0, 9, 1, 2, 0],
        "",
    ),
    "kraken": ("XBTUSD_60.csv", ",", lambda b: [epoch(b), *b.prices, b.volume, 17], ""),
    "kraken, API": ("ohlc.csv", ",", lambda b: [epoch(b), *b.prices, b.close, b.volume, 17], ""),
    "okx": (
        "okx.csv", ",",
        lambda b: [epoch(b, 1_000), *b.prices, b.volume * 100, b.volume, b.volume * b.close, 1], "",
    ),
    "mt4": ("EURUSD60.csv", ",", lambda b: [f"{b.opened:%Y.%m.%d}", f"{b.opened:%H:%M}", *b.prices, b.volume], ""),
    "mt5": (
        "EURUSD_H1.csv", "\t",
        lambda b: [f"{b.opened:%Y.%m.%d}", f"{b.opened:%H:%M:%S}", *b.prices, b.volume, 0, 3], "",
    ),
    "plain": ("x.csv", ";", lambda b: [b.opened.isoformat(), *b.prices, b.volume], ""),
    "coinbase": ("x.csv", ",", lambda b: [epoch(b), b.low, b.high, b.open, b.close, b.volume], ""),
    "bitfinex": ("x.csv", ",", lambda b: [epoch(b, 1_000), b.open, b.close, b.high, b.low, b.volume], ""),
    "kucoin": (
        "x.csv", ",", lambda b: [epoch(b), b.open, b.close, b.high, b.low, b.volume, b.volume * b.close], "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("named", [False, True])
def test_a_file_without_a_header_is_known_by_what_its_rows_can_only_be(
    tmp_path: Path, writer: str, named: bool
) -> None:
    name, delimiter, write, _ = WRITERS[writer]
    form = writer.split(",", maxsplit=1)[0]
    found = bars()
    said = {"format": FORMATS[form]} if named else {}
    file = read(tmp_path / name, rows(found, write, delimiter), symbol="BTC/USDT", **said)
    assert told(file) == truth(found)
    assert file.format is FORMATS[form]
    assert file.lines[0] == 1


def test_a_named_format_that_the_rows_contradict_is_refused(tmp_path: Path) -> None:
    text = rows(bars(), WRITERS["binance"][2])
    with pytest.raises(FileRefusedError, match=r"is not what kraken writes: 12 cells in a row, not 7 or 8"):
        read(tmp_path / "x.csv", text, format=FORMATS["kraken"])
    text = rows(bars(), WRITERS["coinbase"][2])
    with pytest.raises(FileRefusedError, match="is not what bitfinex writes"):
        read(tmp_path / "x.csv", text, format=FORMATS["bitfinex"])


def test_rows_that_may_be_of_two_formats_are_asked_for(tmp_path: Path) -> None:
    flat = [Bar(bar.opened, bar.open, bar.open, bar.open, bar.open, bar.volume) for bar in bars()]
    text = rows(flat, WRITERS["plain"][2], ";")
    with pytest.raises(FileRefusedError, match="may be of plain or coinbase or bitfinex: give --format"):
        read(tmp_path / "x.csv", text)
    assert told(read(tmp_path / "x.csv", text, format=FORMATS["plain"])) == truth(flat)


def test_rows_of_no_format_are_refused(tmp_path: Path) -> None:
    text = rows(bars(), lambda b: [b.open, b.high, b.low, b.close, b.volume, epoch(b)])
    with pytest.raises(FileRefusedError, match=":1: no header with open, high, low and close"):
        read(tmp_path / "x.csv", text)


def test_a_header_of_the_same_columns_reads_as_without(tmp_path: Path) -> None:
    found = bars()
    header = (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_quote,x\n"
    )
    file = read(tmp_path / "x.csv", header + rows(found, WRITERS["binance"][2]), symbol="BTC/USDT")
    assert told(file) == truth(found)
    assert "format binance" in file.notes


def test_histdata_is_in_new_yorks_winter_time_all_year(tmp_path: Path) -> None:
    for start in (datetime(2024, 1, 9, tzinfo=UTC), datetime(2024, 7, 9, tzinfo=UTC)):
        found = bars(start=start)
        text = rows(
            found, lambda b: [f"{b.opened - timedelta(hours=5):%Y%m%d %H%M%S}", *b.prices, b.volume], ";"
        )
        assert told(read(tmp_path / "DAT_ASCII_EURUSD_H1_2024.csv", text)) == truth(found)
        assert told(read(tmp_path / "x.csv", text, format=FORMATS["histdata"])) == truth(found)
        assert told(read(tmp_path / "x.csv", text, timezone=ATHENS)) != truth(found)


@pytest.mark.parametrize(
    ("head", "ticker"),
    [
        (
            "Price,Open,High,Low,Close,Volume\nTicker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD\nDate,,,,,\n",
            "BTC-USD",
        ),
        (
            "Price,Open,High,Low,Close,Volume\nTicker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD\nDatetime,,,,,\n",
            "BTC-USD",
        ),
        (
            "Ticker,ABCXYZ=X,ABCXYZ=X,ABCXYZ=X,ABCXYZ=X,ABCXYZ=X\nPrice,Open,High,Low,Close,Volume\nDate,,,,,\n",
            "ABCXYZ",
        ),
        (",Open,High,Low,Close,Volume\n,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n", "AAPL"),
        ("Date,Open,High,Low,Close,Volume\n", None),
    ],
)
def test_yfinances_rows_of_a_header_are_no_bars(tmp_path: Path, head: str, ticker: str | None) -> None:
    found = bars()
    body = table(found, time=datetime.isoformat, header=None)
    file = read(tmp_path / "x.csv", head + body)
    assert told(file) == truth(found)
    assert (file.symbol, file.unreadable) == (ticker, [])
    assert file.lines[0] == head.count("\n") + 1


def test_yfinances_file_of_two_tickers_is_refused(tmp_path: Path) -> None:
    head = "Price,Close,Close,High,High,Low,Low,Open,Open\nTicker,A,B,A,B,A,B,A,B\nDate,,,,,,,,\n"
    with pytest.raises(FileRefusedError, match=r"several symbols \(A, B\)"):
        read(tmp_path / "x.csv", head + "2024-01-01,1,1,1,1,1,1,1,1\n")


@pytest.mark.parametrize(
    ("name", "form", "timeframe"),
    [
        ("BTCUSDT-15m-2024-01.csv", "binance", Timeframe.M15),
        ("BTCUSDT-1M-2024-01.csv", "binance", None),
        ("BTCUSDT-1mo-2024-01.csv", "binance", None),
        ("XBTUSD_1.csv", "kraken", Timeframe.M1),
        ("XBTUSD_1440.csv", "kraken", Timeframe.D1),
        ("XBTUSD_720.csv", "kraken", None),
        ("EURUSD240.csv", "mt4", Timeframe.H4),
        ("EURUSD_M15.csv", "mt4", Timeframe.M15),
        ("EURUSD_H4_2024.csv", "mt5", Timeframe.H4),
        ("EURUSD_Candlestick_5_M_BID_01.01.2024-31.01.2024.csv", "dukascopy", Timeframe.M5),
        ("EURUSD_Candlestick_1_Hour_ASK.csv", "dukascopy", Timeframe.H1),
        ("DAT_ASCII_EURUSD_M1_2023.csv", "histdata", Timeframe.M1),
        ("gemini_BTCUSD_1hr.csv", "plain", Timeframe.H1),
        ("BTC_15min.csv", "plain", Timeframe.M15),
        ("BTC_1M.csv", "plain", None),
        ("BTC_3m.csv", "plain", None),
        ("BTCUSD.csv", "plain", None),
    ],
)
def test_each_vendor_names_lengths_in_its_own_way(name: str, form: str, timeframe: Timeframe | None) -> None:
    assert FORMATS[form].timeframe_in(name.split(".", maxsplit=1)[0]) is timeframe

"""Field cases: small files of the kinds that people have, each with what is right for it."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from signals.market.models import Candle, DataQualityIssue, Exchange, Instrument

pytestmark = pytest.mark.django_db
EURUSD = ("--exchange", "broker", "--symbol", "EUR/USD")
FIRST_HOUR = ("2024-01-02 00:00", 1.09, 1.09027, 1.08909, 1.0896)


def run(*arguments: object) -> tuple[str, bool]:
    out = StringIO()
    try:
        call_command("import_candles", *map(str, arguments), stdout=out, stderr=out)
    except CommandError as error:
        return out.getvalue() + str(error), False
    return out.getvalue(), True


def stored() -> list[tuple[object, ...]]:
    rows = Candle.objects.order_by("open_time").values_list(
        "open_time", "open", "high", "low", "close", "volume"
    )
    return [(f"{row[0]:%Y-%m-%d %H:%M}", *row[1:]) for row in rows]


@pytest.mark.parametrize(
    ("file", "options", "timeframe", "count", "first", "volume"),
    [
        (
            "01_binance_spot_dump/BTCUSDT-1h-2025-01-01.csv",
            ("--exchange", "binance", "--symbol", "BTC/USDT"),
            "1h", 24, ("2025-01-01 00:00", 93500.0, 93871.7529919, 91968.82212838, 92404.25420638), 74.2499589,
        ),
        (
            "02_kraken_ohlcvt/XBTUSD_60.csv",
            ("--exchange", "kraken", "--symbol", "BTC/USD", "--format", "kraken"),
            "1h", 24, ("2024-01-01 00:00", 42000.0, 42033.9, 41463.4, 41473.4), 98.68321177,
        ),
        (
            "03_sparse_minutes/quiet_2_1m.csv",
            ("--exchange", "kraken", "--symbol", "ADA/USD", "--timeframe", "1m"),
            "1m", 400, ("2024-01-01 02:29", 0.42, 0.42, 0.41957, 0.41957), 33.1066,
        ),
        (
            "04_yfinance_multiindex/BTC-USD.csv",
            ("--exchange", "yahoo", "--symbol", "BTC/USD"),
            "1d", 10, ("2024-01-01 00:00", 42000.0, 42133.74200036263, 41336.94261771007, 41486.37955937187),
            373457955.0,
        ),
        (
            "04_yfinance_multiindex/AAPL_history_1d.csv",
            ("--exchange", "yahoo", "--symbol", "AAPL/USD"),
            "1d", 8, ("2024-03-04 00:00", 180.0, 184.45828907482957, 179.8, 184.25828907482958), 8590196.0,
        ),
        ("06_metatrader/EURUSD60_mt4.csv", EURUSD, "1h", 10, FIRST_HOUR, 391.0),
        ("06_metatrader/EURUSD_H1_mt5.csv", (*EURUSD, "--format", "mt5"), "1h", 10, FIRST_HOUR, 391.0),
        ("06_metatrader/EURUSD_H1_named.csv", EURUSD, "1h", 10, FIRST_HOUR, 391.0),
        ("06_metatrader/EURUSD_H1_utf16.csv", EURUSD, "1h", 10, FIRST_HOUR, 391.0),
        (
            "06_metatrader/EURUSD_H1_mt5.csv", (*EURUSD, "--timezone", "Europe/Athens"),
            "1h", 10, ("2024-01-01 22:00", *FIRST_HOUR[1:]), 391.0,
        ),
        ("07_dukascopy/EURUSD_Candlestick_1_h_BID.csv", EURUSD, "1h", 10, FIRST_HOUR, 391.6184),
        ("07_dukascopy/local.csv", EURUSD, "1h", 10, ("2024-01-01 23:00", *FIRST_HOUR[1:]), 391.6184),
        (
            "08_decimal_comma/dax.csv", ("--exchange", "broker", "--symbol", "DAX/EUR"),
            "1d", 10, ("2024-01-01 00:00", 16000.0, 16011.72, 15953.23, 15989.95), 158232.0,
        ),
        (
            "08_decimal_comma/us_thousands.csv", ("--exchange", "broker", "--symbol", "BTC/USD"),
            "1d", 10, ("2024-01-01 00:00", 42000.0, 42075.0, 41920.2, 41989.0), 9440.0,
        ),
        (
            "10_dst_overlap/autumn_1h.csv", (*EURUSD, "--timezone", "Europe/Athens"),
            "1h", 16, ("2024-10-26 18:00", 1.08, 1.08041, 1.0786, 1.07882), 11.0,
        ),
        (
            "11_volume_columns/kaggle_bitstampUSD_1-min.csv", ("--exchange", "bitstamp", "--symbol", "BTC/USD"),
            "1m", 8, ("2011-12-31 07:52", 4.2, 4.29, 4.19, 4.27), 55.293212,
        ),
        (
            "11_volume_columns/tv_MANAUSDT_1h.csv", ("--exchange", "binance", "--symbol", "MANA/USDT"),
            "1h", 30, ("2024-01-01 00:00", 0.5, 0.50193, 0.49276, 0.49508), 53.73,
        ),
        (
            "15_binance_coinm/BTCUSD_PERP-1h-2023-10-27.csv", ("--exchange", "binancecoinm", "--symbol", "BTC/USD:BTC"),
            "1h", 24, ("2023-10-27 00:00", 34000.0, 34168.0, 33883.6, 34156.9), 149.12935858,
        ),
        (
            "16_symbol_gaps/null_symbol.parquet", ("--exchange", "gemini", "--symbol", "BTC/USD"),
            "1h", 10, ("2024-01-01 00:00", 42000.0, 42161.42868467919, 41785.26982609882, 41809.26908706151),
            54.20268413731127,
        ),
        (
            "23_bom_crlf_newest_first/tv_1h.csv", ("--exchange", "gemini", "--symbol", "BTC/USD"),
            "1h", 3, ("2024-01-01 22:00", 100.5, 102.0, 100.0, 101.5), 5.0,
        ),
    ],
)  # fmt: skip
def test_a_file_of_the_field_is_read_rightly(
    shared_cases: Path,
    file: str,
    options: tuple[str, ...],
    timeframe: str,
    count: int,
    first: tuple[object, ...],
    volume: float,
) -> None:
    out, flawless = run(shared_cases / file, *options)
    assert flawless, out
    assert set(Candle.objects.values_list("timeframe", flat=True)) == {timeframe}
    rows = stored()
    assert (len(rows), rows[0]) == (count, (*first, volume))
    assert not DataQualityIssue.objects.filter(action="refused").exists()


def test_the_hour_that_comes_twice_is_two_hours(shared_cases: Path) -> None:
    run(shared_cases / "10_dst_overlap" / "autumn_1h.csv", *EURUSD, "--timezone", "Europe/Athens")
    rows = stored()
    assert [row[0] for row in rows[6:8]] == ["2024-10-27 00:00", "2024-10-27 01:00"]
    assert [row[5] for row in rows[6:8]] == [24.0, 93.0]
    assert not DataQualityIssue.objects.exists()


def test_the_volume_is_known_for_an_instrument_that_the_files_name_tells(shared_cases: Path) -> None:
    binance = Exchange.objects.create(code="binance", name="Binance")
    Instrument.objects.create(exchange=binance, symbol="BTC/USDT", base="BTC", quote="USDT")
    out, flawless = run(shared_cases / "11_volume_columns" / "BTCUSDT_1h.csv")
    assert flawless, out
    assert stored()[0][5] == 55.293212


def test_a_coin_margined_contract_is_no_spot_pair(shared_cases: Path) -> None:
    """By its file's name alone it would be BTC/USD."""
    kraken = Exchange.objects.create(code="kraken", name="Kraken")
    Instrument.objects.create(exchange=kraken, symbol="BTC/USD", base="BTC", quote="USD")
    path = shared_cases / "15_binance_coinm" / "BTCUSD_PERP-1h-2023-10-27.csv"
    assert "give --exchange and --symbol" in run(path)[0]
    assert run(path, "--exchange", "binancecoinm", "--symbol", "BTC/USD:BTC")[1]
    made = Instrument.objects.get(exchange__code="binancecoinm")
    assert (made.base, made.quote) == ("BTC", "USD")


def test_rows_that_say_there_was_no_trade_leave_no_gap(shared_cases: Path) -> None:
    out, flawless = run(
        shared_cases / "11_volume_columns" / "kaggle_bitstampUSD_1-min.csv",
        "--exchange", "bitstamp", "--symbol", "BTC/USD",
    )  # fmt: skip
    assert flawless
    assert "22 rows without prices: no trade" in out
    assert not DataQualityIssue.objects.exists()

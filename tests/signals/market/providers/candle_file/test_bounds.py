"""What no file of candles is: larger than any, or not text at all."""

import gzip
import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from signals.market.providers.candle_file import FileRefusedError, Reading, load_table, read_candle_file, text
from tests.signals.market.providers.candle_file.made import read

HEADER = "time,open,high,low,close,volume\n"
ROW = "1704067200,1,2,1,1,1\n"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes were taken out of the packed file."""
    taken: list[int] = []
    read_into = text._Bounded.readinto

    def counted(self: text._Bounded, buffer: memoryview) -> int:
        taken.append(read_into(self, buffer))
        return taken[-1]

    monkeypatch.setattr(text._Bounded, "readinto", counted)
    return taken


@pytest.mark.slow
@pytest.mark.parametrize("filling", [ROW, "\0" * 1_000, "\n", " ", "1,"])
@pytest.mark.parametrize("suffix", ["csv.gz", "zip"])
def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, decoded: list[int], monkeypatch: pytest.MonkeyPatch, filling: str, suffix: str
) -> None:
    monkeypatch.setattr(text, "UNSUSPICIOUS_BYTES", 1 << 20)
    size = 4 << 20
    data = (HEADER + filling * (size // len(filling))).encode()
    path = tmp_path / f"x.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.csv", data)
    else:
        path.write_bytes(gzip.compress(data))
    with pytest.raises(FileRefusedError, match=r"unpacks to more than|has a line of more than|it is binary"):
        load_table(path, Reading())
    assert sum(decoded) < size // 2


def test_a_packed_file_that_repeats_itself_as_real_ones_do_is_read(tmp_path: Path) -> None:
    rows = "".join(f"{1704067200 + 60 * row},NaN,NaN,NaN,NaN,NaN\n" for row in range(50_000))
    last = f"{1704067200 + 60 * 50_000},1,2,1,1,1\n{1704067200 + 60 * 50_001},1,2,1,1,1\n"
    file = read(tmp_path / "x.csv.gz", gzip.compress((HEADER + rows + last).encode()))
    assert len(file.candles) == 2


def test_a_line_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="has a line of more than 64 KB"):
        read(tmp_path / "x.csv", HEADER + "1," * 100_000)


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("x.csv", bytes(range(256)) * 64, "it is binary"),
        ("x.csv.gz", b"this is no gzip", "cannot be read as Parquet or CSV"),
        ("x.csv.gz", gzip.compress(b"time,open\n" * 100, mtime=0)[:30], "cannot be read as Parquet or CSV"),
        ("x.zip", b"this is no zip", "cannot be read as Parquet or CSV"),
        ("x.parquet", b"PAR1 this is none PAR1", "cannot be read as Parquet or CSV"),
        ("x.parquet", b"", "cannot be read as Parquet or CSV"),
        ("x.xlsx", b"PK\x03\x04...", "it is a workbook or a zip archive: save it as CSV"),
        ("x.csv", gzip.compress(b"time,open\n", mtime=0), "it is packed by gzip: name it .csv.gz"),
        ("x.csv", b"time open high low close\n1704067200 1 2 1 1\n", "separated by spaces"),
        ("x.csv", b"", ":1: no header"),
        ("x.csv", b"\n\n \n", ":1: no header"),
    ],
)
def test_what_is_no_table_is_refused_in_words(tmp_path: Path, name: str, data: bytes, complaint: str) -> None:
    with pytest.raises(FileRefusedError, match=complaint):
        read(tmp_path / name, data)


def test_a_zip_of_two_files_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", HEADER + ROW)
        archive.writestr("b.csv", HEADER + ROW)
    with pytest.raises(FileRefusedError, match="holds 2 files: unpack it"):
        read(tmp_path / "x.zip", packed.getvalue())


def test_a_parquet_of_too_many_rows_is_refused_by_its_footer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constant column of any length takes a few bytes."""
    monkeypatch.setattr("signals.market.providers.candle_file.parquet.MOST_ROWS", 1_000)
    constant = pa.array([1.0]).take(pa.array([0] * 1_001))
    names = ("timestamp", "open", "high", "low", "close")
    pq.write_table(pa.table(dict.fromkeys(names, constant)), tmp_path / "x.parquet")
    with pytest.raises(FileRefusedError, match="holds 1,001 rows"):
        load_table(tmp_path / "x.parquet", Reading())


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("time,bid_open,bid_high,bid_low,bid_close,ask_open", ":1: no column open, high, low, close"),
        ("time,open,high,low,adj close,volume", ":1: no column close .there are time, open"),
    ],
)
def test_columns_are_not_guessed_below_a_header_that_names_others(
    tmp_path: Path, header: str, complaint: str
) -> None:
    """Without their header the rows would look like a headerless file's: an ask was stored as the volume."""
    row = "170406{}000,100,101,99,100.5,100\n"
    text = header + "\n" + "".join(row.format(hour) for hour in (1, 4, 7))
    with pytest.raises(FileRefusedError, match=complaint):
        read(tmp_path / "x_1h.csv", text)


@pytest.mark.parametrize("cell", ["10_1", "١٠١"])
def test_what_only_python_reads_as_a_number_is_none(tmp_path: Path, cell: str) -> None:
    file = read(tmp_path / "x_1h.csv", HEADER + ROW + f"1704070800,100,{cell},99,100,1\n")
    assert file.odd_cells == {3: f"high {cell!r} is no number"}


def test_a_parquet_row_without_a_time_is_named(tmp_path: Path) -> None:
    instants = pa.array([datetime(2024, 1, 1, tzinfo=UTC), None], pa.timestamp("ms", tz="UTC"))
    columns = dict.fromkeys(("open", "high", "low", "close"), pa.array([1.0, 1.0]))
    pq.write_table(pa.table({"timestamp": instants, **columns}), tmp_path / "x_1h.parquet")
    file = read_candle_file(tmp_path / "x_1h.parquet", symbol=None, said=Reading())
    assert file.unreadable == [(2, "timestamp: no time, or one before 1970")]
    pq.write_table(pa.table({"timestamp": instants, **columns, "Open": [2.0, 2.0]}), tmp_path / "y.parquet")
    with pytest.raises(FileRefusedError, match="has two columns named open"):
        load_table(tmp_path / "y.parquet", Reading())

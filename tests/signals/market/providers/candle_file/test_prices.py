"""Prices in points, noise of floats, and symbols in columns."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from signals.engine.quality import QualityKind, inspect
from signals.market.providers.candle_file import FileRefusedError, Reading, read_candle_file
from tests.signals.market.providers.candle_file.made import bars, read, table, told, truth

AS_OF = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)


def points(*extra: str, rows: int = 40, level: int = 130_584) -> str:
    start = date(2012, 12, 1)
    lines = [
        f"{start + timedelta(days=row)},{level + row},{level + row + 9},{level + row - 9},{level + row + 1},5"
        for row in range(rows)
    ]
    return "\n".join(["date,open,high,low,close,volume", *lines[:7], *extra, *lines[7:]])


@pytest.mark.parametrize(
    "extra",
    [
        [],
        ["2013-06-01,,,,,"],
        ["2013-06-01,NaN,NaN,NaN,NaN,NaN"],
        ["2013-06-01,0,0,0,0,0"],
        ["2013-06-01,130584,,130500,130584,1", "2013-06-02,,,,,"],
    ],
)
def test_points_are_known_whatever_row_stands_between_them(tmp_path: Path, extra: list[str]) -> None:
    with pytest.raises(FileRefusedError, match=r"look like points.*--price-scale, e.g. 0.00001 for 1.30585"):
        read(tmp_path / "x.csv", points(*extra, rows=200))


@pytest.mark.parametrize("scale", [1e-5, 1e-9, 1e-12, 1e-14, 0.01, 1.0, 1e3])
def test_a_scale_keeps_every_digit_of_a_small_price(tmp_path: Path, scale: float) -> None:
    file = read(tmp_path / "x.csv", points(), price_scale=scale)
    expected = [float(f"{130_584 + row}e{np.log10(scale):.0f}") for row in range(40)]
    assert file.candles.open.tolist() == expected
    assert (file.candles.low > 0).all()


@pytest.mark.parametrize("ulps", [1, 2, 4])
def test_a_unit_in_the_last_place_makes_no_impossible_bar(tmp_path: Path, ulps: int) -> None:
    found = bars(60)
    frame = pd.DataFrame(
        {
            "date": [bar.opened.isoformat() for bar in found],
            "open": [bar.open / 3 for bar in found],
            "high": [max(bar.open, bar.close) / 3 for bar in found],
            "low": [min(bar.open, bar.close) / 3 for bar in found],
            "close": [bar.close / 3 for bar in found],
        }
    )
    for _ in range(ulps):
        frame["high"] = np.nextafter(frame["high"], 0)
        frame["low"] = np.nextafter(frame["low"], np.inf)
    file = read(tmp_path / "x.csv", frame.to_csv(index=False))
    clean, issues = inspect(file.candles, file.timeframe, AS_OF)
    assert len(clean) == 60
    assert not [issue for issue in issues if issue.kind is QualityKind.OPEN_CLOSE_OUTSIDE_RANGE]
    assert "60 highs or lows mended by the noise of a float" in file.notes


def test_a_tick_is_no_noise(tmp_path: Path) -> None:
    """One hundredth of a dollar at 100,000 is a tenth of a millionth, and a fault."""
    text = "date,open,high,low,close\n2024-01-01,100000,100000.01,99999,100000.02\n2024-01-02,1e5,100001,99999,1e5\n"
    file = read(tmp_path / "x.csv", text, price_scale=1.0)
    clean, issues = inspect(file.candles, file.timeframe, AS_OF)
    assert len(clean) == 1
    assert issues[0].kind is QualityKind.OPEN_CLOSE_OUTSIDE_RANGE


@pytest.mark.parametrize("cell", ["", "NaN", " "])
def test_an_empty_symbol_is_no_other_symbol(tmp_path: Path, cell: str) -> None:
    found = bars(30)
    lines = table(found, time=datetime.isoformat).splitlines()
    rows = [f"{line},BTCUSD" for line in lines[1:]]
    rows[3] = f"{lines[4]},{cell}"
    file = read(tmp_path / "x.csv", "\n".join([f"{lines[0]},symbol", *rows]))
    assert (file.symbol, told(file)) == ("BTCUSD", truth(found))
    assert "1 rows name no symbol" in file.notes


def test_a_second_symbol_is_named_with_its_line(tmp_path: Path) -> None:
    lines = table(bars(30), time=datetime.isoformat).splitlines()
    rows = [f"{line},{'ETHUSD' if row == 20 else 'BTCUSD'}" for row, line in enumerate(lines[1:])]
    with pytest.raises(FileRefusedError, match=r":22: holds several symbols"):
        read(tmp_path / "x.csv", "\n".join([f"{lines[0]},symbol", *rows]))


FRAMES: dict[str, Any] = {
    "index of times": lambda frame: frame.set_index("time"),
    "index without a name": lambda frame: frame.set_index("time").rename_axis(None),
    "local times": lambda frame: frame.assign(time=frame["time"].dt.tz_localize(None)),
    "nanoseconds": lambda frame: frame.assign(time=frame["time"].astype("datetime64[ns, UTC]")),
    "milliseconds": lambda frame: frame.assign(time=frame["time"].astype("int64") // 10**3),
    "text": lambda frame: frame.assign(time=frame["time"].astype(str)),
    "text everywhere": lambda frame: frame.astype(str),
    "another zone": lambda frame: frame.assign(time=frame["time"].dt.tz_convert("Asia/Tokyo")),
    "float32 volume": lambda frame: frame,
    "an empty symbol": lambda frame: frame.assign(symbol=["BTCUSD", None] * (len(frame) // 2)),
    "a row without prices": lambda frame: pd.concat(
        [frame, frame.tail(1)[["time"]] + timedelta(hours=1)]
    ),
}  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES)
def test_pandas_frames_are_read_as_parquet_and_as_csv(tmp_path: Path, frame: str) -> None:
    found = bars(60)
    plain = pd.DataFrame(
        [(pd.Timestamp(bar.opened).as_unit("us"), *bar.prices, bar.volume) for bar in found],
        columns=["time", "open", "high", "low", "close", "volume"],
    )
    made = FRAMES[frame](plain)
    made.to_parquet(tmp_path / "x.parquet")
    made.to_csv(tmp_path / "x.csv")
    for name in ("x.parquet", "x.csv"):
        file = read_candle_file(tmp_path / name, symbol=None, said=Reading())
        assert told(file) == truth(found), name

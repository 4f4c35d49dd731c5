"""`inspect` against a plain row-by-row reading of its rules."""

from math import isfinite
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals.engine.quality import QualityAction, QualityKind, RawCandles, inspect
from signals.engine.timeframe import Timeframe

HOUR = Timeframe.H1.milliseconds
AS_OF = 12 * HOUR
Row = tuple[int, float, float, float, float, float]

PRICE = st.sampled_from([1.0, 2.0, 3.0, 3.0, 4.0, 0.0, -1.0, float("nan"), float("inf")])
OPEN_TIME = st.integers(0, 14).map(lambda hour: hour * HOUR) | st.sampled_from([HOUR + 1, 11 * HOUR + 1])
BAD_ROW = st.tuples(OPEN_TIME, PRICE, PRICE, PRICE, PRICE, st.sampled_from([0.0, 5.0, -1.0, float("nan")]))
GOOD_ROW = st.tuples(
    OPEN_TIME, st.sampled_from([(2.0, 4.0, 1.0, 3.0), (2.0, 2.0, 2.0, 2.0)]), st.sampled_from([0.0, 5.0])
).map(lambda row: (row[0], *row[1], row[2]))


def raw_candles(rows: list[Row]) -> RawCandles:
    return (
        RawCandles(*(list(column) for column in zip(*rows, strict=True))) if rows else RawCandles(*[[]] * 6)
    )


def defect(row: Row) -> str | None:
    open_time, open_, high, low, close, volume = row
    if not all(isfinite(value) for value in row[1:]):
        return "not_finite"
    judgements = {
        "non_positive_price": min(open_, high, low, close) <= 0,
        "high_below_low": high < low,
        "open_close_outside_range": not low <= open_ <= high or not low <= close <= high,
        "negative_volume": volume < 0,
        "misaligned": open_time % HOUR != 0,
        "future": open_time >= AS_OF,
        "unfinished": open_time + HOUR > AS_OF,
    }
    return next((reason for reason, holds in judgements.items() if holds), None)


def read_row_by_row(rows: list[Row]) -> tuple[list[Row], list[tuple[str, int, str]]]:
    found = [(reason, row[0], "refused") for row in rows if (reason := defect(row))]
    kept = [row for row in rows if not defect(row)]
    late = [row[0] for place, row in enumerate(kept) if any(row[0] < other[0] for other in kept[:place])]
    if late:
        found.append(("out_of_order", late[0], "flagged"))
    clean: list[Row] = []
    for open_time in sorted({row[0] for row in kept}):
        same = [row for row in kept if row[0] == open_time]
        if len(set(same)) > 1:
            found.append(("conflicting_duplicate", open_time, "refused"))
            continue
        if len(same) > 1:
            found.append(("duplicate", open_time, "refused"))
        clean.append(same[0])
        if len(clean) > 1 and open_time - clean[-2][0] > HOUR:
            found.append(("gap", clean[-2][0] + HOUR, "flagged"))
        if same[0][2] == same[0][3] and same[0][5] == 0:
            found.append(("no_trades", open_time, "flagged"))
    return clean, found


@settings(max_examples=500, deadline=None)
@given(st.lists(GOOD_ROW | BAD_ROW, max_size=25))
def test_any_rows_are_judged_as_a_row_by_row_reading_judges_them(rows: list[Row]) -> None:
    clean, issues = inspect(raw_candles(rows), Timeframe.H1, AS_OF)
    expected_rows, expected_issues = read_row_by_row(rows)
    columns = (clean.open_time, clean.open, clean.high, clean.low, clean.close, clean.volume)
    assert [tuple(row) for row in zip(*(column.tolist() for column in columns), strict=True)] == expected_rows
    assert sorted((str(i.kind), i.open_time, str(i.action)) for i in issues) == sorted(expected_issues)


def test_a_gap_says_how_many_bars_are_missing_and_before_which() -> None:
    rows = [(hour * HOUR, 2.0, 4.0, 1.0, 3.0, 5.0) for hour in (0, 1, 5, 7)]
    _, issues = inspect(raw_candles(rows), Timeframe.H1, AS_OF)
    assert [(i.kind, i.open_time, i.detail) for i in issues] == [
        (QualityKind.GAP, 2 * HOUR, "3 bars are missing before 1970-01-01T05:00:00.000Z"),
        (QualityKind.GAP, 6 * HOUR, "1 bar is missing before 1970-01-01T07:00:00.000Z"),
    ]


def test_the_bar_that_closes_now_is_kept_and_the_one_that_closes_a_moment_later_is_not() -> None:
    rows = [(hour * HOUR, 2.0, 4.0, 1.0, 3.0, 5.0) for hour in (10, 11)]
    assert len(inspect(raw_candles(rows), Timeframe.H1, AS_OF)[0]) == 2
    clean, issues = inspect(raw_candles(rows), Timeframe.H1, AS_OF - 1)
    assert len(clean) == 1
    assert issues[0].detail == "closes at 1970-01-01T12:00:00.000Z, after 1970-01-01T11:59:59.999Z"


def test_a_time_in_the_wrong_unit_is_refused_in_words() -> None:
    _, issues = inspect(raw_candles([(10**18, 2.0, 4.0, 1.0, 3.0, 5.0)]), Timeframe.M1, AS_OF)
    assert [issue.kind for issue in issues] == [QualityKind.MISALIGNED]
    assert "1000000000000000000 ms" in issues[0].detail


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="equal length"):
        RawCandles([0], [1.0], [1.0], [1.0], [1.0], [])


def test_the_recorded_outage_is_found_and_nothing_else_is_wrong(shared_data: Path) -> None:
    table = pq.read_table(shared_data / "ohlcv" / "binance_spot_finom" / "BTCUSDT_1h.parquet")
    raw = RawCandles(*(table[name].to_numpy() for name in table.column_names))
    clean, issues = inspect(raw, Timeframe.H1, 2**53)
    outage = int(np.datetime64("2023-03-24T13:00", "ms").astype(int))
    assert [(i.kind, i.open_time, i.action) for i in issues] == [
        (QualityKind.NO_TRADES, outage - HOUR, QualityAction.FLAGGED),
        (QualityKind.GAP, outage, QualityAction.FLAGGED),
    ]
    assert len(clean) == len(table)

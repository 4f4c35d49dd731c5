"""Prompt signals are entered at the open behind their candle, late ones at the first open after they came."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals.engine.entry import PROMPT, entered_from, entry_rows, publication_ms

CLOSE = datetime(2025, 1, 1, 12, tzinfo=UTC)
HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
OPENS = [publication_ms(CLOSE + hours * HOUR) for hours in range(-2, 4)]


def entered(published_at: datetime) -> datetime:
    [row] = entry_rows(OPENS, [publication_ms(CLOSE)], [publication_ms(published_at)])
    return datetime.fromtimestamp(OPENS[row] / 1000, UTC)


@pytest.mark.parametrize(
    ("after_close", "opens"),
    [
        (timedelta(0), CLOSE),
        (-timedelta(seconds=2), CLOSE),  # clocks differ
        (PROMPT, CLOSE),
        (PROMPT + MICROSECOND, CLOSE + HOUR),
        (HOUR, CLOSE + HOUR),  # the bar that opens at that very instant
        (HOUR + MICROSECOND, CLOSE + 2 * HOUR),
    ],
)
def test_the_bar_of_the_entry(after_close: timedelta, opens: datetime) -> None:
    assert entered(CLOSE + after_close) == opens


def test_a_bar_that_has_not_come_is_behind_the_last_row() -> None:
    assert entry_rows(OPENS, [OPENS[-1] + 1], [OPENS[-1] + 1]).tolist() == [len(OPENS)]
    assert entry_rows([], [OPENS[0]], [OPENS[0]]).tolist() == [0]


def test_a_missing_bar_is_entered_at_the_next_that_exists() -> None:
    gap = np.delete(OPENS, 2)
    assert gap[entry_rows(gap, [OPENS[2]], [OPENS[2]])[0]] == OPENS[3]


@given(st.integers(-600, 7200), st.integers(0, 999_999))
def test_nobody_enters_before_the_publication_but_promptly(seconds: int, micros: int) -> None:
    published_at = CLOSE + timedelta(seconds=seconds, microseconds=micros)
    at = entered(published_at)
    if published_at - CLOSE <= PROMPT:
        assert at == CLOSE
    else:
        assert at >= published_at > at - HOUR


def test_columns_broadcast() -> None:
    assert entered_from(OPENS[0], np.array([OPENS[0], OPENS[0] + 600_000])).tolist() == [
        OPENS[0],
        OPENS[0] + 600_000,
    ]

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from signals.engine.session import AssetClass, TradingSession, is_tradable, next_opening, sessions_at


@cache
def _sunday(year: int, month: int, which: int) -> date:
    """The n-th Sunday of a month, or the last one (-1), from the calendar alone."""
    days = [date(year, month, day) for day in range(1, 32) if month in (3, 10) or day <= 30]
    return [day for day in days if day.weekday() == 6][which]


def _utc_hours(session: TradingSession, day: date) -> tuple[int, int]:
    """Opening and closing hour in UTC by the law: EU changes on the last Sundays of March and October,
    the USA on the second of March and the first of November, Japan never. Changes fall outside hours."""
    if session is TradingSession.ASIA:
        return 0, 9
    if session is TradingSession.LONDON:
        summer = _sunday(day.year, 3, -1) <= day < _sunday(day.year, 10, -1)
        return (7, 16) if summer else (8, 17)
    summer = _sunday(day.year, 3, 1) <= day < _sunday(day.year, 11, 0)
    return (12, 21) if summer else (13, 22)


def _oracle(moment: datetime) -> frozenset[TradingSession]:
    return frozenset(
        session
        for session in TradingSession
        if _utc_hours(session, moment.date())[0] <= moment.hour < _utc_hours(session, moment.date())[1]
    )


def test_every_hour_of_four_years_equals_the_daylight_saving_laws() -> None:
    moment, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    differing = []
    while moment < end:
        if sessions_at(moment) != _oracle(moment) or sessions_at(moment + timedelta(minutes=59)) != _oracle(
            moment
        ):
            differing.append(moment)
        moment += timedelta(hours=1)
    assert differing == []


def test_hours_are_half_open() -> None:
    assert TradingSession.LONDON not in sessions_at(datetime(2025, 1, 15, 7, 59, 59, 999_999, tzinfo=UTC))
    assert TradingSession.LONDON in sessions_at(datetime(2025, 1, 15, 8, tzinfo=UTC))
    assert TradingSession.LONDON in sessions_at(datetime(2025, 1, 15, 16, 59, 59, 999_999, tzinfo=UTC))
    assert TradingSession.LONDON not in sessions_at(datetime(2025, 1, 15, 17, tzinfo=UTC))


def test_the_zone_of_the_moment_does_not_matter_and_weekends_count() -> None:
    saturday = datetime(2025, 1, 18, 14, tzinfo=UTC)
    assert sessions_at(saturday) == {TradingSession.LONDON, TradingSession.NEW_YORK}
    assert sessions_at(saturday.astimezone(timezone(timedelta(hours=5, minutes=45)))) == sessions_at(saturday)


def test_the_next_opening_is_the_first_hour_at_which_a_session_appears() -> None:
    moment, end = datetime(2026, 3, 1, 0, 30, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)
    while moment < end:
        hour = moment.replace(minute=0) + timedelta(hours=1)
        while not (opened := _oracle(hour) - _oracle(hour - timedelta(hours=1))):
            hour += timedelta(hours=1)
        assert next_opening(moment) == (hour, *opened)
        moment += timedelta(hours=1)


def test_at_the_opening_itself_the_next_one_is_meant() -> None:
    asia = datetime(2025, 1, 15, 0, tzinfo=UTC)
    assert next_opening(asia) == (datetime(2025, 1, 15, 8, tzinfo=UTC), TradingSession.LONDON)


@pytest.mark.parametrize("question", [sessions_at, next_opening])
def test_a_naive_moment_is_refused(question) -> None:
    with pytest.raises(ValueError, match="naive"):
        question(datetime(2025, 1, 15, 8))  # noqa: DTZ001


@dataclass(frozen=True)
class Listed:
    asset_class: str


CRYPTO, FOREX, STOCK = (Listed(asset_class.value) for asset_class in AssetClass)


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        (datetime(2025, 1, 12, 21, 59, tzinfo=UTC), False),  # Sunday in winter: 17:00 in New York is 22:00
        (datetime(2025, 1, 12, 22, tzinfo=UTC), True),
        (datetime(2025, 1, 17, 21, 59, tzinfo=UTC), True),
        (datetime(2025, 1, 17, 22, tzinfo=UTC), False),
        (datetime(2025, 7, 13, 20, 59, tzinfo=UTC), False),  # in summer it is 21:00
        (datetime(2025, 7, 13, 21, tzinfo=UTC), True),
        (datetime(2025, 7, 18, 21, tzinfo=UTC), False),
        (datetime(2025, 3, 9, 21, tzinfo=UTC), True),  # the Sunday on which New York's clock changes
        (datetime(2025, 12, 24, 22, tzinfo=UTC), False),  # Christmas begins the evening before
        (datetime(2025, 12, 25, 22, tzinfo=UTC), True),
        (datetime(2026, 1, 1, 12, tzinfo=UTC), False),
        (datetime(2025, 12, 31, 12, tzinfo=UTC), True),
    ],
)
def test_forex_trades_by_new_yorks_afternoon_and_rests_on_its_holidays(moment: datetime, open_: bool) -> None:
    assert is_tradable(FOREX, moment) is open_
    assert is_tradable(FOREX, moment.astimezone(timezone(timedelta(hours=9)))) is open_
    assert is_tradable(CRYPTO, moment)


def test_an_ordinary_forex_week_has_120_hours() -> None:
    hours = (datetime(2025, 5, 5, tzinfo=UTC) + timedelta(hours=hour) for hour in range(7 * 24))
    assert sum(is_tradable(FOREX, hour) for hour in hours) == 120


def test_recorded_forex_hours_are_all_tradable_but_on_holidays(shared_data: Path) -> None:
    """Real bars of EURUSD: whoever trades in them must not be told that the market was closed."""
    opened = pq.read_table(shared_data / "ohlcv/forex_darufinance/EURUSD_1h.parquet")["timestamp"].to_numpy()
    moments = [datetime.fromtimestamp(int(moment) / 1000, UTC) for moment in opened]
    refused = [moment for moment in moments if not is_tradable(FOREX, moment)]
    holidays = {(12, 24), (12, 25), (12, 31), (1, 1)}
    assert len(moments) > 40_000
    assert [moment for moment in refused if (moment.month, moment.day) not in holidays] == []


def test_a_stock_is_refused_because_no_calendar_is_known() -> None:
    with pytest.raises(ValueError, match="calendar"):
        is_tradable(STOCK, datetime(2025, 1, 15, 15, tzinfo=UTC))


def test_a_naive_moment_cannot_be_tradable() -> None:
    with pytest.raises(ValueError, match="naive"):
        is_tradable(CRYPTO, datetime(2025, 1, 15, 8))  # noqa: DTZ001

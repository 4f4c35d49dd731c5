"""Trading sessions by the local clock, daylight saving included."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo


class TradingSession(StrEnum):
    LONDON = "london"
    NEW_YORK = "new_york"
    ASIA = "asia"

    @property
    def label(self) -> str:
        """New York."""
        return self.value.replace("_", " ").title()


class AssetClass(StrEnum):
    CRYPTO = "crypto"
    FOREX = "forex"
    STOCK = "stock"


class CalendarMissingError(ValueError):
    """Nobody here knows when this market is open; the message says what is missing."""


class Tradable(Protocol):
    """What `is_tradable` asks of an instrument: an AssetClass or its value."""

    @property
    def asset_class(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Hours:
    """Half-open local hours of every calendar day; no zone here shifts its clock inside them."""

    zone: ZoneInfo
    opens: int
    closes: int


_HOURS = {
    TradingSession.LONDON: _Hours(ZoneInfo("Europe/London"), 8, 17),
    TradingSession.NEW_YORK: _Hours(ZoneInfo("America/New_York"), 8, 17),
    TradingSession.ASIA: _Hours(ZoneInfo("Asia/Tokyo"), 9, 18),
}

_NEW_YORK = ZoneInfo("America/New_York")
_FOREX_DAY_TURNS = timedelta(hours=17)
_FOREX_HOLIDAYS = ((12, 25), (1, 1))


def sessions_at(moment: datetime) -> frozenset[TradingSession]:
    """Sessions open at `moment` (aware): several, one or none. ValueError if naive."""
    _require_aware(moment)
    return frozenset(
        session
        for session, hours in _HOURS.items()
        if hours.opens <= moment.astimezone(hours.zone).hour < hours.closes
    )


def next_opening(moment: datetime) -> tuple[datetime, TradingSession]:
    """The first opening after `moment` (aware), in UTC, and whose it is. ValueError if naive."""
    _require_aware(moment)
    return min((_opening_after(moment, hours), session) for session, hours in _HOURS.items())


def is_tradable(instrument: Tradable, moment: datetime) -> bool:
    """Whether the instrument's market is open at `moment` (aware).

    Crypto always is. Forex trades from Sunday to Friday 17:00 New York time (22:00 UTC in winter, 21:00 in
    summer), except on the trading days of Christmas and New Year, which begin at 17:00 the day before;
    half-days are not known here. ValueError if naive; CalendarMissingError for stocks: their holidays are
    set by each exchange, and no calendar of one is stored.
    """
    _require_aware(moment)
    asset_class = AssetClass(instrument.asset_class)
    if asset_class is AssetClass.STOCK:
        raise CalendarMissingError(
            "stocks need their exchange's calendar, and none is stored: ask the exchange"
        )
    return asset_class is AssetClass.CRYPTO or _is_forex_day(moment)


def _is_forex_day(moment: datetime) -> bool:
    """The trading day of Monday begins on Sunday at 17:00 in New York, whatever its clock was set to."""
    local = moment.astimezone(_NEW_YORK).replace(tzinfo=None)
    day = (local + timedelta(days=1) - _FOREX_DAY_TURNS).date()
    return day.weekday() < 5 and (day.month, day.day) not in _FOREX_HOLIDAYS


def _opening_after(moment: datetime, hours: _Hours) -> datetime:
    today = moment.astimezone(hours.zone).date()
    days = (today, today + timedelta(days=1))
    openings = (datetime.combine(day, time(hours.opens), hours.zone).astimezone(UTC) for day in days)
    return next(opening for opening in openings if opening > moment)


def _require_aware(moment: datetime) -> None:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment} is naive: give it a time zone, e.g. tzinfo=UTC")

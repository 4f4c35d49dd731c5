"""Dates, times of day and offsets in words and digits, one text at a time.

A column holds few different dates and few different times of day, so each is read once.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

MINUTE_MS = 60_000
DAY_MS = 86_400_000
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
YEAR_FIRST = re.compile(r"(\d{4})([-./])(\d{1,2})\2(\d{1,2})")
YEAR_LAST = re.compile(r"(\d{1,2})([-./])(\d{1,2})\2(\d{4}|\d{2})")
COMPACT = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})")
MONTH_FIRST = re.compile(r"([A-Za-z]{3,9})\.?[ -](\d{1,2})(?:,? |-)(\d{4})")
MONTH_SECOND = re.compile(r"(\d{1,2})[ -]([A-Za-z]{3,9})\.?,?[ -](\d{4})")
WEEKDAY = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +", re.IGNORECASE)
TIME_OF_DAY = re.compile(
    r"(\d{1,2})(?::(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?(?:\s*-?\s*([AP]M))?\s*(.*)", re.IGNORECASE
)
DIGITS_OF_DAY = re.compile(r"(\d{1,6})(Z|[+-]\d{2}:?\d{2})?", re.IGNORECASE)
OFFSET = re.compile(r"(?:GMT|UTC)?\s*([+-])(\d{1,2}):?(\d{2})?(?::00)?", re.IGNORECASE)
SPLIT_TIME = re.compile(r"[T ,] ?(\d{1,2}(?::\d{2}.*|\s*-?\s*[AaPp][Mm].*))$")
SPLIT_DIGITS = re.compile(r"((?:19|20)\d{6})[T ]?(\d{4}|\d{6})(.*)")


class DateOrder(StrEnum):
    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day in ms, and the offset from UTC in ms where the text names one."""

    milliseconds: int
    offset: int | None


def split(cell: str) -> tuple[str, str]:
    """The part that names the day and the part that names the time of day, which may be empty."""
    text = cell.strip()
    if len(text) > 11 and text[10] in " T" and text[11].isdigit():
        return text[:10], text[11:]
    if digits := SPLIT_DIGITS.fullmatch(text):
        return digits[1], digits[2] + digits[3]
    if found := SPLIT_TIME.search(text):
        return text[: found.start()], found[1]
    return text, ""


def split_alike(cells: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Days and times of day of cells all of which write the day in ten characters, as `split` has them; else None."""
    texts = list(map(str.strip, cells))
    if len(min(texts, key=len, default="")) <= 11:
        return None
    between, after = {text[10] for text in texts}, {text[11] for text in texts}
    if not (between <= {" ", "T"} and "".join(after).isdigit()):
        return None
    return [text[:10] for text in texts], [text[11:] for text in texts]


def day_number(text: str, order: DateOrder | None) -> int:
    """Days since 1970. Raises ValueError for what is no date, or may be two."""
    name = WEEKDAY.sub("", text.strip())
    if found := YEAR_FIRST.fullmatch(name):
        return _days(text, found[1], found[3], found[4])
    if found := COMPACT.fullmatch(name):
        return _days(text, found[1], found[2], found[3])
    if found := MONTH_FIRST.fullmatch(name):
        return _days(text, found[3], _month(text, found[1]), found[2])
    if found := MONTH_SECOND.fullmatch(name):
        return _days(text, found[3], _month(text, found[2]), found[1])
    found = YEAR_LAST.fullmatch(name)
    if not found:
        raise ValueError(f"{text!r} is no time that is known here (ISO 8601, unix, '2019-10-17 09-AM')")
    order = order or order_of(name)
    if order is None and found[1] != found[3]:
        raise ValueError(f"{text!r} may be two days: give --date-order day-first or month-first")
    day, month = (found[3], found[1]) if order is DateOrder.MONTH_FIRST else (found[1], found[3])
    return _days(text, found[4] if len(found[4]) == 4 else f"20{found[4]}", month, day)


def order_of(text: str) -> DateOrder | None:
    """What one date says about the order of day and month. Dots are written by those who put the day first."""
    found = YEAR_LAST.fullmatch(WEEKDAY.sub("", text.strip()))
    if not found:
        return None
    if found[2] == "." or int(found[1]) > 12:
        return DateOrder.DAY_FIRST
    return DateOrder.MONTH_FIRST if int(found[3]) > 12 else None


def clock(text: str, digits: int) -> Clock:
    """A time of day. `digits` is how many the longest one of its column has where no colon stands in it.

    Raises ValueError.
    """
    if not text:
        return Clock(0, None)
    if found := DIGITS_OF_DAY.fullmatch(text):
        padded = found[1].zfill(6 if max(digits, len(found[1])) > 4 else 4).ljust(6, "0")
        return _clock(text, padded[:2], padded[2:4], padded[4:], "", _offset(found[2] or ""))
    found = TIME_OF_DAY.fullmatch(text.strip())
    if not found or not (found[2] or found[5]):
        raise ValueError(f"{text!r} is no time of day")
    hour = int(found[1])
    if half := found[5]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{text!r} is no time of day")
        hour = hour % 12 + (12 if half.upper() == "PM" else 0)
    return _clock(text, hour, found[2] or 0, found[3] or 0, found[4] or "", _offset(found[6]))


def _clock(
    text: str, hour: int | str, minute: int | str, second: int | str, fraction: str, offset: int | None
) -> Clock:
    hours, minutes, seconds = int(hour), int(minute), int(second)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(f"{text!r} is no time of day")
    milliseconds = int(fraction[:3].ljust(3, "0")) if fraction else 0
    return Clock(((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds, offset)


def _offset(text: str) -> int | None:
    name = text.strip()
    if not name:
        return None
    if name.upper() in ("Z", "UTC", "GMT"):
        return 0
    found = OFFSET.fullmatch(name)
    if not found:
        raise ValueError(
            f"{name!r} is no offset from UTC such as +01:00: give --timezone, and times without it"
        )
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    return (-minutes if found[1] == "-" else minutes) * MINUTE_MS


def _month(text: str, name: str) -> int:
    if name[:3].lower() not in MONTHS:
        raise ValueError(f"{text!r} names no month that is known here")
    return MONTHS.index(name[:3].lower()) + 1


def _days(text: str, year: int | str, month: int | str, day: int | str) -> int:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError as error:
        raise ValueError(f"{text!r} is no day of the calendar ({error})") from error
    if found.year < 1970:
        raise ValueError(f"{text!r} is before 1970")
    return (found - date(1970, 1, 1)).days

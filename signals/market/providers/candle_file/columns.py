"""Which column means what, by its name."""

import re
from collections.abc import Sequence

PRICES = ("open", "high", "low", "close")
# A machine's time before a human's, since cryptodatadownload's files carry both, and an opening before a close.
OPENINGS = (
    "open_time", "opentime", "time_open", "timeopen", "open_timestamp", "start_time", "unix", "unix_timestamp",
    "unix_time", "timestamp", "time", "datetime", "date_time", "gmt_time", "utc_time", "local_time", "date", "day",
    "start", "window_start", "ts", "t", "dt", "index", "period", "period_start", "time_period_start",
)  # fmt: skip
CLOSES = (
    "close_time",
    "closetime",
    "time_close",
    "timeclose",
    "close_timestamp",
    "end_time",
    "time_period_end",
)
DAYS = ("date", "day")
CLOCKS = ("time", "hour", "clock")
SYMBOLS = ("symbol", "pair", "ticker", "tic", "instrument")
UNNAMED = re.compile(r"unnamed_\d+|_?index_level_0|level_0|")
SYNONYMS = {
    "open": ("open_price", "price_open", "opening_price", "opening", "o"),
    "high": ("high_price", "price_high", "max", "h"),
    "low": ("low_price", "price_low", "min", "l"),
    "close": (
        "close_price",
        "price_close",
        "closing_price",
        "close_last",
        "last_price",
        "last",
        "c",
        "price",
    ),
}


def normalised(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def canonical(header: Sequence[str]) -> list[str]:
    """Normalised names by position, the four prices under ours where others are written for them."""
    names = [normalised(name) for name in header]
    for price, others in SYNONYMS.items():
        if price not in names and (other := next((name for name in others if name in names), None)):
            names[names.index(other)] = price
    return names


def missing_prices(names: Sequence[str]) -> list[str]:
    return [price for price in PRICES if price not in names]


def repeated_price(names: Sequence[str]) -> str | None:
    return next((price for price in PRICES if names.count(price) > 1), None)


def names_a_price(names: Sequence[str]) -> bool:
    return any(set(PRICES) & set(name.split("_")) for name in names)


def is_unnamed(name: str) -> bool:
    return UNNAMED.fullmatch(name) is not None


def time_positions(names: Sequence[str]) -> list[int]:
    """Columns that may hold the time, the likeliest first: known names, then one without a name."""
    ranked = [names.index(name) for name in (*OPENINGS, *CLOSES) if name in names]
    return ranked + [place for place, name in enumerate(names) if is_unnamed(name)]


def day_and_clock(names: Sequence[str]) -> tuple[int, int] | None:
    """The two columns of a day and its time, where both are there by name."""
    day = next((names.index(name) for name in DAYS if name in names), None)
    clock = next((names.index(name) for name in CLOCKS if name in names), None)
    return (day, clock) if day is not None and clock is not None else None


def symbol_position(names: Sequence[str]) -> int | None:
    return next((names.index(name) for name in SYMBOLS if name in names), None)

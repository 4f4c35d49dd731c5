"""How published signals did, by what they have in common; every number by `signals.engine.performance`.

An account that risks `RISK` of what it has on every signal makes results in R comparable with returns: its Sharpe ratio
is of days, those without an end counting as zero.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import psycopg
from django.db import connection

from signals.engine.candle import FloatArray
from signals.engine.performance import (
    Interval,
    bootstrap_interval,
    deepest_fall,
    expectancy,
    sharpe_ratio,
    win_rate,
)
from users.models import Tier

DIMENSIONS = ("strategy", "source", "session", "instrument", "month", "tier", "answer")
RISK = 0.01
DAYS_OF_A_YEAR = 365.0
FEWEST_FOR_INTERVAL = 20
BLOCKS = 120
SAMPLES = 250
UNKNOWN = Interval(np.nan, np.nan)
DAY_SECONDS = 86_400

BoolArray = npt.NDArray[np.bool_]

SELECT = """SELECT array_agg(o.r_multiple ORDER BY o.exited_at, o.signal_id),
  array_agg(extract(epoch FROM o.exited_at)::float8 ORDER BY o.exited_at, o.signal_id),
  array_agg(s.confidence ORDER BY o.exited_at, o.signal_id),
  array_agg({group} ORDER BY o.exited_at, o.signal_id)
FROM signals_signaloutcome o JOIN signals_signal s ON s.id = o.signal_id {joins}
WHERE o.exited_at >= %s AND o.exited_at < %s"""
# What parts the signals, as text. A session or a tier may have a signal that others have too: a bit for each.
GROUPS = {
    "strategy": ("s.strategy", ""),
    "source": ("s.source || CASE s.variant WHEN '' THEN '' ELSE ', variant ' || s.variant END", ""),
    "session": ("array_to_string(s.sessions, ',')", ""),
    "instrument": ("i.symbol", "JOIN market_instrument i ON i.id = s.instrument_id"),
    "month": ("to_char(s.published_at AT TIME ZONE 'UTC', 'YYYY-MM')", ""),
    "tier": (
        """CASE WHEN s.experimental THEN 'x' ELSE '' END || extract(epoch FROM o.exited_at - s.published_at)::bigint
        || ',' || extract(epoch FROM s.expires_at - s.published_at)::bigint""",
        "",
    ),
    "answer": (
        "coalesce(f.answer, 'no answer')",
        """LEFT JOIN (SELECT d.signal_id, min(a.answer) AS answer FROM notifications_feedback a
        JOIN notifications_delivery d ON d.id = a.delivery_id GROUP BY d.signal_id) f ON f.signal_id = s.id""",
    ),
}


@dataclass(frozen=True)
class Group:
    """Results in R after costs; NaN where there is none. Intervals at 95 %, from FEWEST_FOR_INTERVAL signals on."""

    name: str
    n: int
    hit_rate: float
    hit_interval: Interval
    mean_r: float
    mean_interval: Interval
    total_r: float
    drawdown_r: float
    sharpe: float
    sharpe_interval: Interval


@dataclass(frozen=True, eq=False)
class Ended:
    """Signals that ended in the period, oldest end first."""

    r: FloatArray
    exited_at: FloatArray
    confidence: FloatArray
    group: npt.NDArray[np.str_]


def ended(*, dimension: str, start: datetime, end: datetime) -> Ended:
    group, joins = GROUPS[dimension]
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(SELECT.format(group=group, joins=joins), (start, end), binary=True)
        row = cursor.fetchone() or (None,) * 4
    r, exited_at, confidence = (np.array(column or [], dtype=np.float64) for column in row[:3])
    return Ended(r, exited_at, confidence, np.array(row[3] or [], dtype=np.str_))


def analysed(*, dimension: str, start: datetime, end: datetime) -> tuple[Group, list[Group], Ended]:
    """All of the period together, each group of the dimension, and the rows behind them."""
    found = ended(dimension=dimension, start=start, end=end)
    everything = measured("All signals", found, np.ones(len(found.r), dtype=np.bool_))
    members = _members(dimension, found)
    return everything, [measured(name, found, rows) for name, rows in members.items() if rows.any()], found


def measured(name: str, found: Ended, rows: BoolArray) -> Group:
    results = found.r[rows]
    hits = np.where(results > 0, 1.0, -1.0)
    daily = daily_returns(results, found.exited_at[rows])
    return Group(
        name=name,
        n=len(results),
        hit_rate=win_rate(results),
        hit_interval=_interval(hits, lambda each: (expectancy(each) + 1) / 2),
        mean_r=expectancy(results),
        mean_interval=_interval(results, expectancy),
        total_r=float(results.sum()),
        drawdown_r=deepest_fall(results),
        sharpe=sharpe_ratio(daily, DAYS_OF_A_YEAR),
        sharpe_interval=bootstrap_interval(daily, _annual_sharpe, samples=SAMPLES)
        if len(results) >= FEWEST_FOR_INTERVAL
        else UNKNOWN,
    )


def daily_returns(results: FloatArray, exited_at: FloatArray) -> FloatArray:
    """Return of each day from the first end to the last, `RISK` of the account on each signal."""
    if not len(results):
        return np.empty(0)
    day = (exited_at // DAY_SECONDS).astype(np.int64)
    sums = np.bincount(day - day[0], weights=results * RISK).astype(np.float64)
    return np.maximum(sums, -1.0)


def _interval(values: FloatArray, measure: Callable[[FloatArray], float]) -> Interval:
    """Of a mean; many values are averaged in blocks of time first, which keeps what follows each other together."""
    if len(values) < FEWEST_FOR_INTERVAL:
        return UNKNOWN
    if len(values) <= 2 * BLOCKS:
        return bootstrap_interval(values, measure, samples=SAMPLES)
    whole = len(values) // BLOCKS * BLOCKS
    blocks = values[len(values) - whole :].reshape(BLOCKS, -1).mean(axis=1)
    return bootstrap_interval(blocks, measure, samples=SAMPLES)


def _annual_sharpe(returns: FloatArray) -> float:
    return sharpe_ratio(returns, DAYS_OF_A_YEAR)


def _members(dimension: str, found: Ended) -> Mapping[str, BoolArray]:
    """The most frequent group first; months and tiers in their own order."""
    if not len(found.r):
        return {}
    if dimension == "tier":
        return _tiers(found)
    if dimension == "session":
        sessions = sorted({name for each in np.unique(found.group) for name in each.split(",") if name})
        apart = {name: np.char.find(found.group, name) >= 0 for name in sessions}
        return apart | {"no session": found.group == ""}
    names, place, counts = np.unique(found.group, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable") if dimension != "month" else np.arange(len(names))[::-1]
    return {str(names[number]): place == number for number in order}


def _tiers(found: Ended) -> Mapping[str, BoolArray]:
    """What each tier was given while it was still open and had not expired, after the tier's delay."""
    experimental = np.char.startswith(found.group, "x")
    spans = np.char.partition(np.char.lstrip(found.group, "x"), ",")
    lived, valid = spans[:, 0].astype(np.float64), spans[:, 2].astype(np.float64)
    return {
        f"{tier.name}, after {tier.delay_seconds // 60} min": (lived > tier.delay_seconds)
        & (valid > tier.delay_seconds)
        & (~experimental | tier.experimental)
        for tier in Tier.objects.order_by("rank")
    }

"""How published signals did: measures of `signals.engine.performance` over their outcomes, and those still open."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.db.models import OuterRef, Subquery

from signals.engine.performance import (
    Interval,
    bootstrap_interval,
    expectancy,
    profit_factor,
    r_multiple,
    win_rate,
)
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle
from signals.models import Signal, SignalOutcome, SignalQuerySet

FEWEST_FOR_INTERVAL = 20  # fewer trades resample to nothing that could be believed
UNKNOWN = Interval(float("nan"), float("nan"))
# A signal without an outcome is followed for so long; beyond it none will come (its candles are missing).
FOLLOWED_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Record:
    """Results in R after costs. Intervals at 95 %, NaN below FEWEST_FOR_INTERVAL trades."""

    n: int
    hit_rate: float
    hit_interval: Interval
    mean_r: float
    mean_interval: Interval
    total_r: float
    profit_factor: float


@lru_cache(maxsize=128)
def record(results: tuple[float, ...]) -> Record:
    """Kept for the same results: the pages ask every few seconds, and resampling takes a while."""
    enough = len(results) >= FEWEST_FOR_INTERVAL
    return Record(
        n=len(results),
        hit_rate=win_rate(results),
        hit_interval=bootstrap_interval(results, win_rate) if enough else UNKNOWN,
        mean_r=expectancy(results),
        mean_interval=bootstrap_interval(results, expectancy) if enough else UNKNOWN,
        total_r=sum(results),
        profit_factor=profit_factor(results),
    )


@dataclass(frozen=True)
class Ended:
    """A signal that has ended, by when it did."""

    exited_at: datetime
    r: float
    strategy: str


def ended_between(*, start: datetime, end: datetime) -> list[Ended]:
    """Oldest end first, as the resampling wants it; experimental signals, which are tried out, do not count."""
    rows = SignalOutcome.objects.filter(exited_at__gte=start, exited_at__lte=end, signal__experimental=False)
    ordered = rows.order_by("exited_at", "signal_id")
    return [Ended(*row) for row in ordered.values_list("exited_at", "r_multiple", "signal__strategy")]


def by_strategy(ended: list[Ended]) -> list[tuple[str, Record]]:
    """The most frequent strategy first."""
    results: dict[str, list[float]] = defaultdict(list)
    for each in ended:
        results[each.strategy].append(each.r)
    records = [(strategy, record(tuple(values))) for strategy, values in results.items()]
    return sorted(records, key=lambda row: (-row[1].n, row[0]))


@dataclass(frozen=True)
class OpenSignal:
    """A signal without an outcome. `present_r`: from the stated entry to the newest close, before costs."""

    signal: Signal
    price: float | None
    present_r: float | None


def open_signals(*, now: datetime, count: int) -> list[OpenSignal]:
    """The newest first."""
    newest = Candle.objects.filter(
        instrument=OuterRef("instrument"), timeframe=Timeframe.H1, open_time__gte=OuterRef("candle_open_time")
    ).order_by("-open_time")
    waiting = open_rows(now=now).with_instrument().annotate(newest_close=Subquery(newest.values("close")[:1]))
    return [_open_signal(signal) for signal in waiting[:count]]


def open_rows(*, now: datetime) -> SignalQuerySet:
    return Signal.objects.filter(outcome=None, published_at__gt=now - FOLLOWED_FOR, published_at__lte=now)


def _open_signal(signal: Signal) -> OpenSignal:
    price: float | None = signal.newest_close  # type: ignore[attr-defined]  # annotated
    if price is None:
        return OpenSignal(signal, None, None)
    return OpenSignal(signal, price, float(r_multiple(signal.entry_price, price, signal.stop_loss)))

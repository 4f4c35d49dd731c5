"""How signals did, of those alone whose outcome the audience may see."""

import math
from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db.models import Q

from research.selectors.integrator import Audience
from research.selectors.performance import Record, record
from signals.engine.performance import Interval
from signals.models import SignalOutcome


def performance(audience: Audience, *, days: int, instrument_id: int | None, now: datetime) -> dict[str, Any]:
    """Results in R after costs, of the last `days`: altogether and by strategy. What cannot be said is None."""
    since = datetime.combine(now.date() - timedelta(days=days), time.min, UTC)
    seen = Q(recorded_at__gte=since, recorded_at__lte=audience.cutoff)
    seen &= Q(signal__published_at__lte=audience.cutoff)
    if not audience.experimental:
        seen &= Q(signal__experimental=False)
    if instrument_id is not None:
        seen &= Q(signal__instrument=instrument_id)
    rows = SignalOutcome.objects.filter(seen).order_by("exited_at", "signal_id")
    results: dict[str, list[float]] = defaultdict(list)
    everything: list[float] = []
    for r, strategy in rows.values_list("r_multiple", "signal__strategy"):
        everything.append(r)
        results[strategy].append(r)
    return {
        "since": since,
        "days": days,
        "overall": facts(record(tuple(everything))),
        "strategies": [
            {"strategy": strategy, **facts(record(tuple(results[strategy])))} for strategy in sorted(results)
        ],
    }


def facts(found: Record) -> dict[str, Any]:
    return {
        "n": found.n,
        "hit_rate": finite(found.hit_rate),
        "hit_rate_interval": bounds(found.hit_interval),
        "mean_r": finite(found.mean_r),
        "mean_r_interval": bounds(found.mean_interval),
        "total_r": finite(found.total_r),
        "profit_factor": finite(found.profit_factor),
    }


def finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def bounds(interval: Interval) -> list[float] | None:
    low, high = finite(interval.low), finite(interval.high)
    return None if low is None or high is None else [low, high]

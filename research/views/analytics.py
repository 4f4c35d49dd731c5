"""Analytics: how signals did, by what they have in common, with n and intervals."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from research.charts.equity import equity
from research.charts.figure import figure, line
from research.charts.shares import bars, reliability
from research.models import EndedChunk
from research.selectors import analytics as selectors
from research.views.page import page
from signals.models import Experiment, SignalOutcome
from signals.selectors import candidate_record, evidence_known

PERIODS = {"30d": 30, "90d": 90, "1y": 365, "all": 36_500}
PERIOD = "1y"
POINTS = 1_500
BINS = np.linspace(0, 1, 11)
KEPT_SECONDS = 600
MOST_EXPERIMENTS = 10


def analytics(request: HttpRequest) -> HttpResponse:
    dimension = request.GET.get("by", "strategy")
    if dimension not in selectors.DIMENSIONS:
        dimension = "strategy"
    period = request.GET.get("period", PERIOD)
    if period not in PERIODS:
        period = PERIOD
    now = timezone.now()
    context = _figures(dimension, period, now) | {
        "dimension": dimension,
        "evidence": evidence_known(known_at=now),
        "record": candidate_record(known_at=now),
        "experiments": [
            (each, each.state(now).label) for each in Experiment.objects.order_by("-pk")[:MOST_EXPERIMENTS]
        ],
        "tabs": [(each, f"?by={each}&period={period}", each == dimension) for each in selectors.DIMENSIONS],
        "periods": [(each, f"?by={dimension}&period={each}", each == period) for each in PERIODS],
    }
    return page(request, "research/analytics.html", "Analytics", context)


def _figures(dimension: str, period: str, now: datetime) -> dict[str, Any]:
    """Outcomes are only ever added: until the next one, what was worked out today stands."""
    newest = (
        SignalOutcome.objects.order_by("-ledger_entry_id").values_list("ledger_entry_id", flat=True).first()
    )
    packed_at = EndedChunk.objects.aggregate(at=Max("packed_at"))["at"]
    packed = packed_at.isoformat() if packed_at else ""  # a key holds no space
    key = f"analytics:{dimension}:{period}:{newest}:{packed}:{now:%Y-%m-%d-%H}"
    kept: dict[str, Any] | None = cache.get(key)
    if kept is not None:
        return kept
    start = max(now - timedelta(days=PERIODS[period]), datetime(1970, 1, 1, tzinfo=now.tzinfo))
    everything, groups, found = selectors.analysed(dimension=dimension, start=start, end=now)
    made = {
        "total": _plain(everything),
        "groups": [_plain(each) for each in groups],
        "means": bars(
            [each.name.replace("_", " ") for each in groups],
            [each.mean_r for each in groups],
            low=[each.mean_interval.low for each in groups],
            high=[each.mean_interval.high for each in groups],
            unit="R",
        ),
        "equity": _equity(found),
        "drawdown": _drawdown(found),
        "calibration": _calibration(found),
    }
    cache.set(key, made, KEPT_SECONDS)
    return made


def _plain(group: selectors.Group) -> dict[str, Any]:
    """As the cache keeps it: JSON knows no NaN."""
    values = asdict(group)
    for name in ("hit", "mean", "sharpe"):
        values[f"{name}_low"], values[f"{name}_high"] = values.pop(f"{name}_interval")
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in values.items()
    }


def _rows(count: int) -> Any:
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).astype(np.intp)) if count else []


def _equity(found: selectors.Ended) -> dict[str, Any]:
    rows = _rows(len(found.r))
    times = (found.exited_at[rows] * 1000).astype(np.int64)
    return equity(times, {"All signals": np.cumsum(found.r)[rows]}, unit="R")


def _drawdown(found: selectors.Ended) -> dict[str, Any]:
    rows = _rows(len(found.r))
    total = np.cumsum(found.r)
    below = total - np.maximum(np.maximum.accumulate(total), 0.0) if len(total) else total
    times = (found.exited_at[rows] * 1000).astype(np.int64)
    curve = line(times, below[rows], name="Drawdown", tone="bad", fill="tozeroy")
    return figure([curve], xaxis={"type": "date"}, yaxis={"title": {"text": "R"}}, showlegend=False)


def _calibration(found: selectors.Ended) -> dict[str, Any]:
    place = np.clip(np.digitize(found.confidence, BINS) - 1, 0, 9)
    filled = [number for number in range(10) if (place == number).any()]
    inside = [place == number for number in filled]
    measured = [
        selectors.measured("", selectors.Ended(found.r[rows], found.exited_at[rows], found.confidence[rows]))
        for rows in inside
    ]
    return reliability(
        [float(found.confidence[place == number].mean()) for number in filled],
        [each.hit_rate for each in measured],
        [each.n for each in measured],
        low=[each.hit_interval.low for each in measured],
        high=[each.hit_interval.high for each in measured],
    )

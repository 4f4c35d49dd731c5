"""Keeping what was wrong with bars, once per bar, kind and source."""

from collections.abc import Iterable
from datetime import UTC, datetime

from signals.engine.quality import QualityIssue
from signals.engine.timeframe import Timeframe
from signals.market.models import DataQualityIssue, Instrument

LONGEST_INSTANT_MS = 253_402_300_799_999  # year 9999, the last that datetime knows


def record_issues(
    *,
    instrument: Instrument,
    timeframe: Timeframe,
    issues: Iterable[QualityIssue],
    source: str,
    first_seen_at: datetime,
) -> None:
    """Issues seen before change nothing. A bar whose time no calendar knows is kept under the last instant there is."""
    DataQualityIssue.objects.bulk_create(
        [
            DataQualityIssue(
                instrument=instrument,
                timeframe=timeframe.value,
                open_time=_instant(issue.open_time),
                kind=issue.kind.value,
                action=issue.action.value,
                detail=issue.detail,
                source=source,
                first_seen_at=first_seen_at,
            )
            for issue in issues
        ],
        batch_size=2_000,
        ignore_conflicts=True,
    )


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(min(max(milliseconds, 0), LONGEST_INSTANT_MS) / 1000, UTC)

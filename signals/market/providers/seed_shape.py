"""The seed's list of readings: `[{timestamp, sentiment_score}]`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from signals.market.providers.mood_source import Point, Told, moment_in, score_in

MOST_POINTS = 1_000


def told_by(rows: list[Any], *, start: datetime, end: datetime, model: str) -> Told:
    """Rows that can be believed; the others are dropped with a reason, and none is put right."""
    points: dict[datetime, Point] = {}
    dropped: list[str] = []
    for row in rows[:MOST_POINTS]:
        said: Mapping[str, Any] = row if isinstance(row, dict) else {}
        moment = moment_in(said.get("timestamp"), start=start, end=end)
        score = score_in(said.get("sentiment_score"))
        if moment is None:
            dropped.append("a reading without an aware time of the asked stretch")
        elif score is None:
            dropped.append("a score that is no number from -1 to 1")
        else:
            points[moment] = Point(moment, score, model=model)
    if len(rows) > MOST_POINTS:
        dropped.append(f"{len(rows) - MOST_POINTS} readings beyond {MOST_POINTS}")
    return Told(tuple(points[each] for each in sorted(points)), dropped=tuple(dropped))

"""What a cycle of an autopilot is, in words: the values that rows, services and pages share. Loads no compiled code."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHORTEST_INTERVAL, LONGEST_INTERVAL = 10, 86_400  # seconds between two cycles


class Mode(StrEnum):
    """Who chooses the strategy's group: the rules, the model, or both together."""

    PATTERN = "pattern"
    ML = "ml"
    HYBRID = "hybrid"


class InstanceState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class DecisionOutcome(StrEnum):
    """What came of a cycle."""

    SKIPPED = "skipped"  # nothing could be judged: no candles, or old ones
    FAILED = "failed"  # an error that was expected of something; it is logged
    UNCHANGED = "unchanged"  # no candle has closed since the last decision
    SILENT = "silent"  # judged, and no strategy spoke
    BELOW_THRESHOLD = "below_threshold"
    REFUSED = "refused"  # somebody spoke, and something stood against it
    SIGNAL = "signal"  # published, no order wanted
    ORDERED = "ordered"
    ORDER_REFUSED = "order_refused"  # published, and pre-flight refused the order
    FROZEN = "frozen"  # published, and the order failed


def slot_of(moment: datetime, interval_seconds: int) -> datetime:
    """The beginning of the interval that `moment` falls into, counted from the epoch: one cycle each."""
    length = timedelta(seconds=interval_seconds)
    return EPOCH + (moment - EPOCH) // length * length

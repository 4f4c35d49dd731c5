"""Deliveries by time as numbers that a template draws: SVG, so that it may be replaced every few seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from research.selectors.deliveries import Bucket

HEIGHT = 100.0
STACK = ("sent", "waiting", "failed")  # from the bottom


@dataclass(frozen=True)
class Bar:
    """A rectangle of a column; `y` counts from the top, `y + height` of the lowest is HEIGHT."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """One bucket: its bars from the bottom up, and where it stands."""

    x: int
    starts_at: datetime
    bucket: Bucket
    bars: list[Bar]


@dataclass(frozen=True)
class Columns:
    """`highest`: deliveries in the fullest bucket, which reaches the top."""

    columns: list[Column]
    highest: int


def delivery_columns(buckets: Sequence[Bucket]) -> Columns:
    highest = max((bucket.total for bucket in buckets), default=0)
    return Columns(
        [
            Column(number, bucket.starts_at, bucket, _bars(bucket, highest))
            for number, bucket in enumerate(buckets)
        ],
        highest,
    )


def _bars(bucket: Bucket, highest: int) -> list[Bar]:
    bars, top = [], HEIGHT
    for kind in STACK:
        if count := getattr(bucket, kind):
            height = HEIGHT * count / highest
            top -= height
            bars.append(Bar(kind, top, height))
    return bars

"""What the market room wants from a source of sentiment, and the checks that all of them share.

Errors of all sources are one class with a kind; what a kind means for the next question is decided by who asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, Protocol

from signals.engine.headline import cleaned
from signals.market.providers import ProviderError

FUTURE_TOLERANCE = timedelta(minutes=5)


class Trouble(StrEnum):
    KEY = "key"  # 401, 403: this key may not
    GONE = "gone"  # 404, 410: there is no such endpoint (any more)
    REFUSED = "refused"  # 400, 422: our question is not what it takes
    THROTTLED = "throttled"  # 429
    UNAVAILABLE = "unavailable"  # 5xx, no connection, no answer in time
    MALFORMED = "malformed"  # an answer of another shape


class SentimentError(ProviderError):
    """No usable reading. retry_after: as the source told; cost_usd: an answer that cannot be used is paid for too."""

    def __init__(self, message: str, kind: Trouble, retry_after: timedelta | None = None) -> None:
        super().__init__(message, permanent=kind in (Trouble.KEY, Trouble.GONE, Trouble.REFUSED))
        self.kind = kind
        self.retry_after = retry_after
        self.cost_usd = 0.0


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about. names: ticker first, then what people call it; category: of news."""

    base: str
    quote: str
    names: tuple[str, ...]
    category: str = "crypto"

    @property
    def pair(self) -> str:
        return f"{self.base}/{self.quote}"


@dataclass(frozen=True, slots=True)
class Point:
    """One reading as the source tells it, checked: score within -1 and 1, an aware time that is not in the future."""

    published_at: datetime
    score: float
    n: int = 1
    confidence: float | None = None
    citations: tuple[Mapping[str, str], ...] = ()
    model: str = ""
    reference: str = ""
    is_degraded: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """points: oldest first. calls: requests that were made for it; cost_usd: what they cost, where the source tells.

    dropped: what it told and we did not believe, one reason each.
    """

    points: tuple[Point, ...] = ()
    calls: int = 1
    cost_usd: float = 0.0
    dropped: tuple[str, ...] = field(default=())


class SentimentAdapter(Protocol):
    """Speaks one contract. `read` raises SentimentError."""

    def read(self, subject: Subject, *, start: datetime, end: datetime) -> Told:
        """What it says of the subject between the two (aware) moments."""


def score_in(value: Any) -> float | None:
    """A finite number from -1 to 1, or None: out of range is another scale, and no scale is guessed."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value) if abs(value) <= 1 else None


def share_in(value: Any) -> float | None:
    found = score_in(value)
    return found if found is not None and found >= 0 else None


def count_in(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        return None
    return value


def moment_in(value: Any, *, start: datetime, end: datetime) -> datetime | None:
    """An aware moment of the asked stretch; unix seconds and ISO 8601 with its offset. A naive time says no moment."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        elif isinstance(value, str) and len(value) <= 40:
            found = datetime.fromisoformat(value)
        else:
            return None
        if found.tzinfo is None:
            return None
        found = found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return min(found, end) if start <= found <= end + FUTURE_TOLERANCE else None


def link_in(title: Any, url: Any) -> dict[str, str] | None:
    """A citation; only http and https, and text that is safe on one line."""
    address = cleaned(url, 500)
    if not address.startswith(("https://", "http://")) or " " in address:
        return None
    return {"title": cleaned(title), "url": address}

"""What the delivery pages read: how late, what went wrong, one signal's way, one subscriber's history.

Every function takes its moment; none writes. Latency is `sent_at - due_at` by the database's clock, in seconds.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Aggregate, Count, Expression, ExpressionWrapper, F, Func, Max, QuerySet, Value
from django.db.models.fields import DateTimeField, DurationField, FloatField
from django.db.models.functions import Extract

from notifications.models import Delivery, DeliveryState
from notifications.services.advice import what_to_do
from notifications.services.eligibility import Exclusion
from notifications.services.fan_out import excluded_subscribers, exclusion_words
from signals.models import Signal
from users.models import Subscriber, Tier

BUCKETS = 48
LATENCY = Extract(
    ExpressionWrapper(F("sent_at") - F("due_at"), output_field=DurationField()),
    "epoch",
    output_field=FloatField(),
)
TROUBLE = (DeliveryState.UNKNOWN, DeliveryState.DEAD, DeliveryState.EXPIRED)
NAMES_SHOWN = 12
NARROWEST = 0.8  # percent of a chart's width


class PercentileDisc(Aggregate):
    """PostgreSQL's `percentile_disc`: the first value that at least `share` of all do not exceed."""

    function = "percentile_disc"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()

    def __init__(self, expression: Expression, share: float) -> None:
        super().__init__(expression, share=share)


@dataclass(frozen=True)
class Latency:
    """Seconds from release to Telegram's answer; the percentiles are None where nothing was sent."""

    name: str
    sent: int
    p50: float | None
    p95: float | None
    p99: float | None
    longest: float | None


def latencies(deliveries: QuerySet[Delivery]) -> list[Latency]:
    """By tier at release, the best first."""
    sent = deliveries.filter(state=DeliveryState.SENT).order_by()
    names = dict(Tier.objects.values_list("code", "name"))
    by_tier = sent.values_list("tier").alias(rank=Max("tier_rank")).order_by("-rank")
    rows = by_tier.annotate(
        Count("pk"),
        p50=PercentileDisc(LATENCY, 0.5),
        p95=PercentileDisc(LATENCY, 0.95),
        p99=PercentileDisc(LATENCY, 0.99),
        longest=Max(LATENCY),
    )
    return [Latency(names.get(tier, tier), *measures) for tier, *measures in rows]


def released_between(*, start: datetime, end: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(due_at__gt=start, due_at__lte=end)


@dataclass(frozen=True)
class Bucket:
    """Deliveries whose release fell into one stretch of time."""

    starts_at: datetime
    sent: int
    waiting: int
    failed: int

    @property
    def total(self) -> int:
        return self.sent + self.waiting + self.failed


def buckets(*, start: datetime, end: datetime) -> list[Bucket]:
    """BUCKETS stretches of equal length, the empty ones included."""
    width = (end - start) / BUCKETS
    bucket = Func(Value(width), F("due_at"), Value(start), function="date_bin", output_field=DateTimeField())
    counts: dict[datetime, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    released = released_between(start=start, end=end).order_by()
    for starts_at, state, count in released.values_list(bucket, "state").annotate(Count("pk")):
        counts[starts_at][kind_of(state)] += count
    return [
        Bucket(at, **{kind: counts[at][kind] for kind in ("sent", "waiting", "failed")})
        for at in (start + width * number for number in range(BUCKETS))
    ]


def kind_of(state: str) -> str:
    if state == DeliveryState.SENT:
        return "sent"
    return "failed" if state in TROUBLE else "waiting"


@dataclass(frozen=True)
class Trouble:
    """Deliveries that ended without a certain arrival, for one reason."""

    state: DeliveryState
    reason: str
    words: str
    advice: str
    count: int
    last_due_at: datetime


def troubles(deliveries: QuerySet[Delivery]) -> list[Trouble]:
    """Those of which nobody knows whether they arrived first, then the most frequent."""
    grouped = (
        deliveries.filter(state__in=TROUBLE)
        .order_by()
        .values_list("state", "reason")
        .annotate(Count("pk"), Max("due_at"))
    )
    found = [
        Trouble(DeliveryState(state), reason, exclusion_words(reason), what_to_do(state, reason), count, last)
        for state, reason, count, last in grouped
    ]
    return sorted(found, key=lambda trouble: (TROUBLE.index(trouble.state), -trouble.count))


@dataclass(frozen=True)
class Way:
    """One delivery's way as two stretches of the chart, in percent of its width.

    `held`: from publication to release. `under_way`: from release to arrival, to the end of its
    life, or until now.
    """

    delivery: Delivery
    held: float
    under_way: float

    @property
    def width(self) -> float:
        """Of the second stretch, wide enough to be seen."""
        return max(self.under_way, NARROWEST)

    @property
    def x(self) -> float:
        """Where the second stretch begins, so that all of it is inside."""
        return min(self.held, 100 - self.width)


def ways(*, signal: Signal, deliveries: Sequence[Delivery], now: datetime) -> list[Way]:
    """The stretches of a signal's deliveries on one common scale."""
    ends = [_end_of(delivery, now) for delivery in deliveries]
    span = max([*(end - signal.published_at for end in ends), timedelta(seconds=1)])
    return [
        Way(
            delivery,
            held=100 * max(delivery.due_at - signal.published_at, timedelta(0)) / span,
            under_way=100 * max(end - delivery.due_at, timedelta(0)) / span,
        )
        for delivery, end in zip(deliveries, ends, strict=True)
    ]


def _end_of(delivery: Delivery, now: datetime) -> datetime:
    if delivery.sent_at:
        return delivery.sent_at
    is_over = delivery.state in TROUBLE
    return delivery.due_at if is_over else max(delivery.due_at, min(now, delivery.expires_at))


@dataclass(frozen=True)
class Excluded:
    """Subscribers without a delivery of a signal, by the rule that excludes them now; `names` are the first."""

    words: str
    count: int
    names: list[str]


def excluded(*, signal: Signal) -> list[Excluded]:
    """The most frequent reason first. None of them is judged by the settings at publication, which are gone."""
    reasons = excluded_subscribers(signal=signal)
    people = Subscriber.objects.in_bulk(list(reasons))
    by_reason: dict[Exclusion | None, list[str]] = defaultdict(list)
    for subscriber_id, reason in reasons.items():
        by_reason[reason].append(str(people[subscriber_id]))
    return [
        Excluded(
            reason.words if reason else "Would get it as settings are now; they were different then.",
            len(names),
            sorted(names)[:NAMES_SHOWN],
        )
        for reason, names in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    ]

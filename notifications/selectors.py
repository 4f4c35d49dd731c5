"""What a subscriber may be shown. Whatever answers a subscriber about signals reads through `visible_to`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, DateTimeField, DurationField, ExpressionWrapper, F, Q, QuerySet, Value

from notifications.models import Delivery, DeliveryKind, DeliveryState
from signals.models import SignalOutcome
from users.models import Subscriber, Tier

# Sent, or of a fate that nobody knows: a button may be pressed before our row says that its message went out.
# Whatever waits, was excluded or expired unsent is not shown on demand either: a command is no second way to a
# signal. The kill switch keeps it from being sent, so that it is not shown either.
MAY_HAVE_ARRIVED = Q(state__in=[DeliveryState.SENDING, DeliveryState.SENT, DeliveryState.UNKNOWN]) | Q(
    is_repeat=True
)


def visible_to(subscriber: Subscriber, now: datetime) -> QuerySet[Delivery]:
    """Deliveries that have been released for the subscriber at `now` and may have reached the chat.

    An outcome is a delivery of its own: that a signal is visible says nothing about how it ended.
    """
    return Delivery.objects.filter(MAY_HAVE_ARRIVED, subscriber=subscriber, due_at__lte=now)


def last_visible(
    subscriber: Subscriber, now: datetime, *, count: int
) -> list[tuple[Delivery, Delivery | None]]:
    """The newest visible signals, each with its outcome if that is visible too."""
    visible = visible_to(subscriber, now)
    signals = list(
        visible.filter(kind=DeliveryKind.SIGNAL)
        .select_related("signal__instrument__exchange")
        .order_by("-due_at", "-pk")[:count]
    )
    outcomes = visible.filter(kind=DeliveryKind.OUTCOME, signal__in=[row.signal_id for row in signals])
    ended = {row.signal_id: row for row in outcomes.select_related("signal__outcome")}
    return [(row, ended.get(row.signal_id)) for row in signals]


def end_may_be_known(delivery: Delivery, now: datetime) -> bool:
    """Whether the subscriber's tier has been released the end of the signal."""
    delay = timedelta(seconds=delivery.subscriber.tier.delay_seconds)
    ended = SignalOutcome.objects.filter(signal_id=delivery.signal_id, recorded_at__lte=now - delay)
    return ended.exists()


@dataclass(frozen=True, slots=True)
class Lived:
    """How the signals of a tier ended. `too_late`: ended, or expired, before the tier had them; they count in none."""

    ended: int
    won: int
    mean_r: float
    total_r: float
    worst_fall_r: float
    too_late: int
    since: datetime | None

    @property
    def hit_percent(self) -> str:
        return f"{self.won / self.ended * 100:.0f}" if self.ended else ""


def tier_performance(tier: Tier, now: datetime) -> Lived:
    """From the outcomes that the tier may know at `now`, oldest first; R after costs, from the signal's own entry."""
    delay = timedelta(seconds=tier.delay_seconds)
    known = SignalOutcome.objects.filter(recorded_at__lte=now - delay)
    if not tier.experimental:
        known = known.filter(signal__experimental=False)
    released = ExpressionWrapper(
        F("signal__published_at") + Value(delay, output_field=DurationField()),
        output_field=DateTimeField(),
    )
    in_time = Q(signal__expires_at__gt=released, exited_at__gt=released)
    if not tier.delay_seconds:
        in_time = Q(pk__isnull=False)
    results = list(
        known.filter(in_time).order_by("exited_at", "pk").values_list("r_multiple", "signal__published_at")
    )
    sums = running_sums([r for r, _ in results])
    return Lived(
        ended=len(results),
        won=sum(r > 0 for r, _ in results),
        mean_r=sums[-1] / len(results) if results else 0.0,
        total_r=sums[-1] if results else 0.0,
        worst_fall_r=worst_fall(sums),
        too_late=known.count() - len(results),
        since=min((at for _, at in results), default=None),
    )


def running_sums(results: list[float]) -> list[float]:
    sums, total = [], 0.0
    for result in results:
        total += result
        sums.append(total)
    return sums


def worst_fall(sums: list[float]) -> float:
    """The largest fall of a running sum that begins at zero, as a number that is not negative."""
    highest = fall = 0.0
    for each in sums:
        highest = max(highest, each)
        fall = max(fall, highest - each)
    return fall


def deliveries_today(now: datetime) -> list[tuple[str, int]]:
    """Deliveries that were due in the last 24 hours, by state."""
    recent = Delivery.objects.filter(due_at__range=(now - timedelta(days=1), now))
    counts = dict(recent.order_by().values_list("state").annotate(Count("pk")))
    return [(DeliveryState(state).label, count) for state, count in sorted(counts.items())]

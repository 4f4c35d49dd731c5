"""What the console's first page and the readiness probe read. Every function takes `now`; none writes."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from notifications.models import OPEN_STATES, Delivery, DeliveryKind, DeliveryState, SenderState
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Instrument
from signals.models import Heartbeat, Signal
from signals.services.alarms import PATIENCE_SECONDS
from users.models import Subscriber, Tier

BASE_BAR = timedelta(seconds=Timeframe.H1.seconds)
CANDLE_GRACE = timedelta(minutes=5)
ALWAYS_SHOWN = (DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.DEAD)


class Life(StrEnum):
    ALIVE = "alive"
    LATE = "late"
    DEAD = "dead"
    UNSEEN = "not seen yet"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Process:
    """One process of the system. Its sign of life is a Heartbeat row, normal up to `limit` of age."""

    label: str
    heartbeat: str
    limit: timedelta


BEAT = Process("Beat", "beat", timedelta(seconds=PATIENCE_SECONDS["beat"]))
WORKER = Process("Worker", "worker", timedelta(seconds=PATIENCE_SECONDS["worker"]))
SENDER = Process("Sender", "sender", timedelta(seconds=PATIENCE_SECONDS["sender"]))
PROCESSES = (BEAT, WORKER, SENDER)


@dataclass(frozen=True)
class ProcessLife:
    process: Process
    life: Life
    age: timedelta | None
    detail: str = ""


def process_lives(*, now: datetime) -> list[ProcessLife]:
    """How each of PROCESSES is. Web is not among them: it is alive when this is read."""
    beats = {beat.name: beat for beat in Heartbeat.objects.filter(name__in=[p.heartbeat for p in PROCESSES])}
    lives = {}
    for process in PROCESSES:
        beat = beats.get(process.heartbeat)
        age = max(now - beat.beat_at, timedelta(0)) if beat else None
        lives[process] = ProcessLife(process, life_of(age, process.limit), age, beat.detail if beat else "")
    worker = lives[WORKER]
    if lives[BEAT].life in {Life.LATE, Life.DEAD} and worker.life in {Life.LATE, Life.DEAD}:
        lives[WORKER] = ProcessLife(WORKER, Life.UNKNOWN, worker.age, "it answers ticks, and beat sends none")
    return list(lives.values())


def life_of(age: timedelta | None, limit: timedelta) -> Life:
    """Late up to four times the limit (a long task, a restart), dead beyond it."""
    if age is None:
        return Life.UNSEEN
    if age <= limit:
        return Life.ALIVE
    return Life.LATE if age <= 4 * limit else Life.DEAD


def sender_state() -> SenderState:
    return SenderState.objects.first() or SenderState()


@dataclass(frozen=True)
class NewestCandle:
    """The newest closed base candle of an instrument; `age` since it closed, None where there is none."""

    instrument: Instrument
    close: float | None
    closed_at: datetime | None
    age: timedelta | None

    @property
    def is_late(self) -> bool:
        return self.age is None or self.age > BASE_BAR + CANDLE_GRACE


def newest_candles(*, now: datetime) -> list[NewestCandle]:
    newest = Candle.objects.filter(instrument=OuterRef("pk"), timeframe=Timeframe.H1).order_by("-open_time")
    instruments = (
        Instrument.objects.active()
        .select_related("exchange")
        .annotate(
            newest_open=Subquery(newest.values("open_time")[:1]),
            newest_close=Subquery(newest.values("close")[:1]),
        )
    )
    return [_newest_candle(instrument, now) for instrument in instruments]


def _newest_candle(instrument: Instrument, now: datetime) -> NewestCandle:
    opened_at: datetime | None = instrument.newest_open  # type: ignore[attr-defined]  # annotated
    closed_at = opened_at + BASE_BAR if opened_at else None
    age = max(now - closed_at, timedelta(0)) if closed_at else None
    return NewestCandle(instrument, instrument.newest_close, closed_at, age)  # type: ignore[attr-defined]


def last_signals(*, count: int) -> QuerySet[Signal]:
    """The newest signals, each with its `delivery_count` and, of those, `sent_count`."""
    deliveries = (
        Delivery.objects.filter(signal=OuterRef("pk"), kind=DeliveryKind.SIGNAL).order_by().values("signal")
    )
    sent = deliveries.filter(state=DeliveryState.SENT)
    return Signal.objects.with_instrument().annotate(
        delivery_count=Coalesce(Subquery(deliveries.values(n=Count("pk"))), 0),
        sent_count=Coalesce(Subquery(sent.values(n=Count("pk"))), 0),
    )[:count]


@dataclass(frozen=True)
class StateCount:
    """`is_quiet`: no tier has one, and nobody misses the column on a phone."""

    state: DeliveryState
    count: int
    is_quiet: bool


@dataclass(frozen=True)
class DeliveryRow:
    """Deliveries of one tier ("" = all of them): a count for each of DeliveryState, in its order."""

    tier: str
    name: str
    counts: list[StateCount]

    @property
    def total(self) -> int:
        return sum(cell.count for cell in self.counts)


def delivery_rows(*, start: datetime) -> list[DeliveryRow]:
    """Deliveries released since `start`, or held back yet, by tier and state; best tier first, then all."""
    recent = Delivery.objects.filter(due_at__gt=start)
    counts: Counter[tuple[str, str]] = Counter()
    for tier, state, count in recent.values_list("tier", "state").annotate(Count("pk")).order_by():
        counts[tier, state] += count
        counts["", state] += count
    names = {tier.code: tier.name for tier in Tier.objects.all()}
    gone = {tier for tier, _ in counts} - names.keys() - {""}
    rows = [*names.items(), *((code, code) for code in sorted(gone)), ("", "All tiers")]
    return [DeliveryRow(code, name, state_counts(code, counts)) for code, name in rows]


def state_counts(tier: str, counts: Counter[tuple[str, str]]) -> list[StateCount]:
    return [
        StateCount(
            state, counts[tier, state.value], state not in ALWAYS_SHOWN and not counts["", state.value]
        )
        for state in DeliveryState
    ]


def counts_by_state(deliveries: QuerySet[Delivery]) -> dict[str, int]:
    return dict(deliveries.order_by().values_list("state").annotate(Count("pk")))


def oldest_due(*, now: datetime) -> Delivery | None:
    """The open delivery that has been due for longest; None when nothing waits that should be out."""
    waiting = Delivery.objects.filter(state__in=OPEN_STATES, due_at__lte=now, expires_at__gt=now)
    return waiting.select_related("subscriber", "signal__instrument").order_by("due_at").first()


@dataclass(frozen=True)
class SubscriberCounts:
    """`active`: whose subscription has not ended; `linked`: those of them whom Telegram reaches."""

    active: int
    linked: int


def subscriber_counts(*, now: datetime) -> SubscriberCounts:
    people = Subscriber.objects
    return SubscriberCounts(people.subscribed(now).count(), people.reachable(now).count())

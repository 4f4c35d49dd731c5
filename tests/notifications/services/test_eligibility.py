"""The one SELECT against a second opinion: the same rules written down in Python, rule by rule."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifications.models import Delivery, DeliveryPreference, SignalPicture
from notifications.services.eligibility import Exclusion, candidates_sql, signal_parameters
from notifications.services.fan_out import explain_exclusion, fan_out, why_not
from signals.engine.strategy import Direction, StrategySignal
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Signal, SignalSource
from signals.services.publishing import begin_publication, publish
from tests.factories import make_instrument
from tests.length import examples
from tests.notifications.rows import make_signal, make_subscriber, make_tier, wait_for
from users.models import Subscriber

T = TypeVar("T")

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)  # the day on which Berlin's clocks go forward
MINIMUM = {"low": 0.70, "medium": 0.55, "aggressive": 0.40}
SESSIONS = ["london", "new_york", "asia"]
ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Pacific/Kiritimati"]


def quiet(local: time, start: time | None, end: time | None) -> bool:
    if start is None or end is None:
        return False
    return start <= local < end if start < end else local >= start or local < end


def local_day(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def expected(subscriber: Subscriber, signal: Signal) -> str | None:
    """The first rule that excludes, from the rows themselves."""
    tier = subscriber.tier
    wish = DeliveryPreference.objects.filter(subscriber=subscriber).first() or DeliveryPreference()
    due = signal.published_at + timedelta(seconds=tier.delay_seconds)
    instruments = set(wish.instruments.all()) if wish.pk else set()
    given = [d for d in Delivery.objects.filter(subscriber=subscriber) if d.state not in ("dead", "expired")]
    today = sum(local_day(d.due_at, wish.timezone) == local_day(due, wish.timezone) for d in given)
    heard = wish.sessions[: tier.max_sessions] if tier.max_sessions is not None else SESSIONS
    rules = [
        (subscriber.status != "active", "not_active"),
        (subscriber.chat_id is None, "not_linked"),
        (subscriber.unreachable_reason != "", "unreachable"),
        (subscriber.subscription_ends_at and subscriber.subscription_ends_at <= due, "subscription_over"),
        (subscriber.account_type not in tier.account_types, "account_type"),
        (
            signal.direction == "short" and signal.instrument.market_type == "spot",
            "cannot_be_shorted",
        ),
        (signal.experimental and not tier.experimental, "experimental"),
        (signal.confidence < MINIMUM[subscriber.risk_profile], "confidence"),
        (tier.max_sessions is not None and not set(heard) & set(signal.sessions), "session"),
        (instruments and signal.instrument not in instruments, "instrument"),
        (wish.paused_until and wish.paused_until > due, "paused"),
        (
            quiet(due.astimezone(ZoneInfo(wish.timezone)).time(), wish.quiet_from, wish.quiet_until),
            "quiet_hours",
        ),
        (wish.daily_cap is not None and today >= wish.daily_cap, "daily_cap"),
        (due >= signal.expires_at, "expires_before_release"),
    ]
    return next((reason for excluded, reason in rules if excluded), None)


def found(signal: Signal) -> dict[int, str | None]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT subscriber_id, reason FROM ({candidates_sql()}) AS c", signal_parameters(signal)
        )
        return dict(cursor.fetchall())


hours = st.integers(-30, 30).map(lambda n: NOON + timedelta(hours=n))
clock = st.times(min_value=time(0), max_value=time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0))
tiers = st.fixed_dictionaries(
    {
        "delay_seconds": st.sampled_from([0, 900, 4 * 3600]),
        "max_sessions": st.sampled_from([None, 0, 1, 2]),
        "account_types": st.sampled_from([["demo"], ["demo", "live"]]),
        "experimental": st.booleans(),
    }
)
subscribers = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["active"] * 6 + ["archived"]),
        "linked": st.sampled_from([True] * 6 + [False]),
        "unreachable_reason": st.sampled_from([""] * 6 + ["blocked"]),
        "subscription_ends_at": st.none() | hours,
        "account_type": st.sampled_from(["demo", "demo", "live"]),
        "risk_profile": st.sampled_from(list(MINIMUM)),
    }
)
preferences = st.none() | st.fixed_dictionaries(
    {
        "sessions": st.lists(st.sampled_from(SESSIONS), unique=True),
        "timezone": st.sampled_from(ZONES),
        "paused_until": st.none() | hours,
        "daily_cap": st.sampled_from([None, None, 1, 2]),
        "quiet": st.none() | st.tuples(clock, clock).filter(lambda pair: pair[0] != pair[1]),
        "instruments": st.sampled_from(["any", "this", "other"]),
        "given_at": st.lists(hours, max_size=3),
    }
)
signals = st.fixed_dictionaries(
    {
        "confidence": st.sampled_from([0.4, 0.5, 0.55, 0.6, 0.7, 0.8]),
        "sessions": st.lists(st.sampled_from(SESSIONS), unique=True),
        "experimental": st.sampled_from([False, False, True]),
        "short": st.sampled_from([False, False, True]),
        "market_type": st.sampled_from(["spot", "margin", "perpetual"]),
    }
)


SHORT = {"direction": "short", "stop_loss": 105.0, "take_profit": 90.0}


def build(wishes: list[Any], signal: dict[str, Any]) -> Signal:
    signal = dict(signal)
    short = signal.pop("short")
    this, other = make_instrument(market_type=signal.pop("market_type", "spot")), make_instrument()
    for tier, person, wish in deepcopy(wishes):
        values = {} if person.pop("linked") else {"chat_id": None}
        given_at = wish.pop("given_at") if wish else []
        if wish:
            wish["quiet_from"], wish["quiet_until"] = wish.pop("quiet") or (None, None)
            wish["instruments"] = {"any": [], "this": [this, other], "other": [other]}[wish["instruments"]]
        subscriber = make_subscriber(tier=make_tier(**tier), preference=wish, **person, **values)
        for number, moment in enumerate(given_at):
            Delivery.objects.create(
                signal=make_signal(published_at=moment, instrument=other),
                subscriber=subscriber,
                tier="x",
                tier_rank=1,
                state="expired" if number == 2 else "pending",
                due_at=moment,
                next_attempt_at=moment,
                expires_at=moment + timedelta(hours=4),
            )
    return make_signal(published_at=NOON, instrument=this, **signal, **(SHORT if short else {}))


@pytest.mark.slow
@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(wishes=st.lists(st.tuples(tiers, subscribers, preferences), min_size=8, max_size=14), signal=signals)
def test_every_subscriber_is_judged_as_the_rules_say(wishes: list[Any], signal: dict[str, Any]) -> None:
    with transaction.atomic():
        published = build(wishes, signal)
        people = Subscriber.objects.select_related("tier")
        wanted = {person.pk: expected(person, published) for person in people}
        assert found(published) == wanted
        before = Delivery.objects.filter(signal=published).count()
        assert before == 0
        assert fan_out(signal=published) == sum(reason is None for reason in wanted.values())
        assert fan_out(signal=published) == 0
        assert set(Delivery.objects.filter(signal=published).values_list("subscriber_id", flat=True)) == {
            person for person, reason in wanted.items() if reason is None
        }
        transaction.set_rollback(True)


EXCLUDING: dict[Exclusion, dict[str, Any]] = {
    Exclusion.NOT_ACTIVE: {"status": "archived"},
    Exclusion.NOT_LINKED: {"chat_id": None},
    Exclusion.UNREACHABLE: {"unreachable_reason": "blocked"},
    Exclusion.SUBSCRIPTION_OVER: {"subscription_ends_at": NOON},
    Exclusion.ACCOUNT_TYPE: {"account_type": "live", "tier": {"account_types": ["demo"]}},
    Exclusion.EXPERIMENTAL: {},
    Exclusion.CONFIDENCE: {"risk_profile": "low"},
    Exclusion.SESSION: {"tier": {"max_sessions": 1}, "preference": {"sessions": ["asia", "london"]}},
    Exclusion.INSTRUMENT: {"preference": {"instruments": "other"}},
    Exclusion.PAUSED: {"preference": {"paused_until": NOON + timedelta(seconds=1)}},
    # 12:00 UTC is 14:00 in Berlin from this very day on; in winter it would have been 13:00.
    Exclusion.QUIET_HOURS: {
        "preference": {"timezone": "Europe/Berlin", "quiet_from": time(13, 30), "quiet_until": time(14, 1)}
    },
    Exclusion.EXPIRES_BEFORE_RELEASE: {"tier": {"delay_seconds": 4 * 3600}},
}


@pytest.mark.parametrize("reason", list(EXCLUDING))
def test_each_reason_alone_excludes_and_is_told_in_words(reason: Exclusion) -> None:
    values = dict(EXCLUDING[reason])
    preference = dict(values.pop("preference", {}))
    if preference.get("instruments"):
        preference["instruments"] = [make_instrument()]
    tier = make_tier(**values.pop("tier", {}))
    subscriber = make_subscriber(tier=tier, preference=preference, **values)
    signal = make_signal(published_at=NOON, confidence=0.6, experimental=reason is Exclusion.EXPERIMENTAL)
    assert found(signal) == {subscriber.pk: reason.value}
    assert fan_out(signal=signal) == 0
    assert why_not(signal=signal, subscriber=subscriber) == reason.words


@pytest.mark.parametrize(
    ("market_type", "reason"), [("spot", "cannot_be_shorted"), ("margin", None), ("perpetual", None)]
)
def test_short_goes_out_only_where_the_instrument_can_be_shorted(
    market_type: str, reason: str | None
) -> None:
    instrument = make_instrument(market_type=market_type)
    subscriber = make_subscriber()
    assert found(make_signal(instrument=instrument, **SHORT)) == {subscriber.pk: reason}
    assert found(make_signal(instrument=instrument)) == {subscriber.pk: None}


@pytest.mark.parametrize(
    ("reason", "figures"),
    [
        (Exclusion.CONFIDENCE, "60 % < 70 %"),
        (Exclusion.SESSION, "open: london; chosen: asia"),
        (Exclusion.QUIET_HOURS, "14:00 is between 13:30 and 14:01, Europe/Berlin"),
        (Exclusion.ACCOUNT_TYPE, "live account, T takes demo"),
        (Exclusion.UNREACHABLE, "blocked"),
        (Exclusion.EXPIRES_BEFORE_RELEASE, "16:00 is not before 16:00 UTC"),
    ],
)
def test_reason_at_publication_stays_with_its_figures_whatever_is_set_later(
    reason: Exclusion, figures: str
) -> None:
    values = deepcopy(EXCLUDING[reason])
    tier = make_tier(**{"name": "T"} | values.pop("tier", {}))
    subscriber = make_subscriber(tier=tier, preference=values.pop("preference", {}), **values)
    signal = make_signal(published_at=NOON, confidence=0.6)
    fan_out(signal=signal)
    subscriber.status = "archived"
    subscriber.save()

    why = explain_exclusion(signal, subscriber)

    assert (why.then, why.figures) == (reason.words, figures)
    assert why.today == Exclusion.NOT_ACTIVE.words


def test_all_who_were_excluded_are_on_record_once_and_nobody_else() -> None:
    signal = make_signal()
    make_subscriber()
    low = [make_subscriber(risk_profile="low", preference=wish) for wish in (None, {"daily_cap": 3})]
    archived = make_subscriber(status="archived")
    later = make_signal(confidence=0.699)
    for _ in range(2):
        fan_out(signal=later, capped=False)
        fan_out(signal=later, capped=True)

    on_record = [(row.reason, row.figures, pk) for row in later.exclusions.all() for pk in row.subscriber_ids]
    assert sorted(on_record) == [
        *(("confidence", "69.9 % < 70 %", each.pk) for each in low),
        ("not_active", "archived", archived.pk),
    ]
    assert not signal.exclusions.exists()


def test_signal_older_than_the_records_says_so() -> None:
    subscriber = make_subscriber(status="archived")
    why = explain_exclusion(make_signal(), subscriber)
    assert "Not on record" in why.then
    assert why.today == Exclusion.NOT_ACTIVE.words


def test_why_not_of_a_delivered_signal_tells_its_state() -> None:
    subscriber = make_subscriber()
    signal = make_signal()
    fan_out(signal=signal)
    assert why_not(signal=signal, subscriber=subscriber) == "There is a delivery: Pending."


def test_given_deliveries_are_counted_for_those_only_who_have_a_cap() -> None:
    """Otherwise each fan-out would read all deliveries ever written."""
    tier = make_tier()
    for cap in (None, None, 5):
        make_subscriber(tier=tier, preference={"daily_cap": cap})
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {candidates_sql()}",
            signal_parameters(make_signal()),
        )
        plans = [cursor.fetchone()[0][0]["Plan"]]
    counts = []
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", [])
        counts += [plan["Actual Loops"]] if plan["Node Type"] == "Aggregate" else []
    assert counts == [1]


def test_delay_of_the_tier_is_the_time_of_release() -> None:
    make_subscriber(tier=make_tier(delay_seconds=900))
    fan_out(signal=make_signal(published_at=NOON))
    assert Delivery.objects.get().due_at == NOON + timedelta(seconds=900)


def test_database_refuses_a_sending_time_before_release() -> None:
    make_subscriber(tier=make_tier(delay_seconds=900))
    fan_out(signal=make_signal(published_at=NOON))
    with pytest.raises(IntegrityError, match="not_sent_before_due"), transaction.atomic():
        Delivery.objects.update(state="sent", sent_at=NOON + timedelta(seconds=899))
    assert Delivery.objects.update(state="sent", sent_at=NOON + timedelta(seconds=900)) == 1


def test_a_repeat_gives_nobody_a_second_one() -> None:
    signal = make_signal()
    make_subscriber()
    assert fan_out(signal=signal) == 1
    make_subscriber()
    assert fan_out(signal=signal) == 1
    assert fan_out(signal=signal) == 0


def test_those_with_a_daily_cap_and_those_without_are_given_it_apart() -> None:
    signal = make_signal()
    free, capped = make_subscriber(), make_subscriber(preference={"daily_cap": 3})
    make_subscriber(preference={})
    assert fan_out(signal=signal, capped=True) == 1
    assert Delivery.objects.get().subscriber == capped
    assert fan_out(signal=signal, capped=False) == 2
    assert Delivery.objects.filter(subscriber=free).exists()
    assert fan_out(signal=signal) == 0


@pytest.mark.django_db(transaction=True)
def test_of_two_publications_at_the_same_time_the_later_counts_the_earlier_against_a_daily_cap() -> None:
    free, capped = make_subscriber(), make_subscriber(preference={"daily_cap": 1})
    instrument, other = make_instrument(), make_instrument()
    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            publish_one(instrument, hour=1)
            later = thread.submit(elsewhere, publish_one, other, hour=2)
            wait_for(lambda: waiting(having_written=True))
        later.result()
    assert Delivery.objects.filter(subscriber=free).count() == 2
    assert Delivery.objects.filter(subscriber=capped).count() == 1
    first, second = Signal.objects.order_by("ledger_entry_id")
    assert (first.sequence, second.sequence) == (1, 2)
    assert second.ledger_entry.prev_hash == first.ledger_entry.hash


@pytest.mark.django_db(transaction=True)
def test_of_two_publications_of_the_same_signal_the_later_leaves_nothing() -> None:
    make_subscriber()
    instrument = make_instrument()
    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            first = publish_one(instrument, hour=1)
            later = thread.submit(elsewhere, publish_one, instrument, hour=1)
            wait_for(lambda: waiting(having_written=False))  # publications on one instrument take turns
        assert later.result() == first
    assert [delivery.signal for delivery in Delivery.objects.all()] == [first]
    assert [picture.signal for picture in SignalPicture.objects.all()] == [first]


def publish_one(instrument: Instrument, *, hour: int) -> Signal:
    return publish(
        instrument=instrument,
        decision=StrategySignal("rsi", Direction.LONG, 0.9, 100.0, 95.0, 110.0, ("because",)),
        timeframe=Timeframe.H1,
        candle_open_time=datetime(2025, 1, 1, hour, tzinfo=UTC),
        source=SignalSource.HYBRID,
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("before", "after"), [("1", "NULL"), ("NULL", "1"), ("1", "2")])
def test_daily_cap_that_changes_during_a_publication_waits_for_nothing_and_costs_nobody_the_signal(
    before: str, after: str
) -> None:
    make_subscriber(preference={"daily_cap": None if before == "NULL" else int(before)})
    signal = make_signal()
    with ThreadPoolExecutor(1) as thread, transaction.atomic():
        begin_publication(signal.instrument_id)
        fan_out(signal=signal, capped=False)
        change = f"UPDATE notifications_deliverypreference SET daily_cap = {after}"
        thread.submit(elsewhere, execute, change).result(timeout=20)
        fan_out(signal=signal, capped=True)
        assert Delivery.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_open_change_of_a_daily_cap_holds_up_no_publication() -> None:
    make_subscriber(preference={"daily_cap": 1})
    instrument = make_instrument()
    with ThreadPoolExecutor(1) as thread, transaction.atomic():
        execute("UPDATE notifications_deliverypreference SET daily_cap = 2")
        published = thread.submit(elsewhere, publish_one, instrument, hour=1).result(timeout=20)
    assert Delivery.objects.get().signal == published


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["DELETE FROM %s"])
def test_preference_that_goes_during_a_publication_costs_nobody_the_signal(change: str) -> None:
    make_subscriber(preference={"daily_cap": 1})
    signal = make_signal()
    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            begin_publication(signal.instrument_id)
            assert fan_out(signal=signal, capped=False) == 0
            changing = thread.submit(elsewhere, execute, change % "notifications_deliverypreference")
            wait_for(lambda: waiting(having_written=False))
            assert fan_out(signal=signal, capped=True) == 1
        changing.result()


def elsewhere(act: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """In a thread, with a connection of its own."""
    try:
        return act(*args, **kwargs)
    finally:
        connection.close()


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def waiting(*, having_written: bool) -> bool:
    """Whether a session waits for an advisory lock, and has written deliveries before."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT EXISTS (SELECT FROM pg_locks w WHERE locktype = 'advisory' AND NOT granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND %s = EXISTS (SELECT FROM pg_locks h WHERE h.pid = w.pid AND h.granted
                    AND h.relation = 'notifications_delivery'::regclass AND h.mode = 'RowExclusiveLock'))""",
            [having_written],
        )
        (found,) = cursor.fetchone()
    return bool(found)


def test_every_delivery_has_a_name_of_its_own() -> None:
    for _ in range(20):
        make_subscriber()
    for _ in range(2):
        fan_out(signal=make_signal())
    assert Delivery.objects.values("public_id").distinct().count() == 40


def test_database_keeps_a_subscriber_who_has_deliveries() -> None:
    kept, gone = make_subscriber(), make_subscriber(status="archived")
    fan_out(signal=make_signal())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM users_subscriber WHERE id = %s", [gone.pk])
        with pytest.raises(IntegrityError, match="has deliveries"), transaction.atomic():
            cursor.execute("DELETE FROM users_subscriber WHERE id = %s", [kept.pk])
    assert list(Subscriber.objects.all()) == [kept]


@pytest.mark.django_db(transaction=True)
def test_deleting_a_subscriber_waits_for_a_publication_under_way() -> None:
    subscriber = make_subscriber()
    with ThreadPoolExecutor(1) as thread, transaction.atomic():
        begin_publication(0)
        fan_out(signal=make_signal())
        deleting = thread.submit(
            elsewhere, execute, f"DELETE FROM users_subscriber WHERE id = {subscriber.pk}"
        )
        wait_for(lambda: waiting(having_written=False))
    with pytest.raises(IntegrityError, match="has deliveries"):
        deleting.result()


@pytest.mark.django_db(transaction=True)
def test_publication_waits_for_a_deletion_under_way_and_gives_the_deleted_nothing() -> None:
    gone, kept = make_subscriber(), make_subscriber()
    instrument = make_instrument()
    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            execute(f"DELETE FROM users_subscriber WHERE id = {gone.pk}")
            publishing = thread.submit(elsewhere, publish_one, instrument, hour=1)
            wait_for(lambda: waiting(having_written=False))
        publishing.result()
    assert [delivery.subscriber for delivery in Delivery.objects.all()] == [kept]


def test_timezone_that_the_database_does_not_know_is_refused_when_written() -> None:
    with pytest.raises(DataError, match="time zone"), transaction.atomic():
        make_subscriber(preference={"timezone": "Atlantis/Capital"})


@pytest.mark.parametrize("zone", ["Atlantic/Azores", "UTC"])
def test_daily_cap_counts_the_hour_after_midnight_that_comes_twice(zone: str) -> None:
    """On the Azores the clock goes back from 01:00 to 00:00 that night: 00:10 and 00:30 UTC are of the new day."""
    make_subscriber(preference={"daily_cap": 1, "timezone": zone})
    begins = datetime(2026, 10, 25, 0, 10, tzinfo=UTC)
    counts = [
        fan_out(signal=make_signal(published_at=begins + timedelta(minutes=later))) for later in (0, 20, 120)
    ]
    assert counts == [1, 0, 0]


@pytest.mark.parametrize(("hours", "count"), [(-13, 1), (-11, 0), (11, 0), (13, 1)])
def test_daily_cap_is_of_one_local_day(hours: int, count: int) -> None:
    subscriber = make_subscriber(preference={"daily_cap": 1})
    fan_out(signal=make_signal(published_at=datetime(2026, 5, 4, 12, tzinfo=UTC) + timedelta(hours=hours)))
    assert Delivery.objects.filter(subscriber=subscriber).count() == 1
    assert fan_out(signal=make_signal(published_at=datetime(2026, 5, 4, 12, tzinfo=UTC))) == count

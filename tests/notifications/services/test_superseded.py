"""One open direction per instrument and subscriber: another source is heard when the standing signal has ended."""

from datetime import UTC, datetime, timedelta

import pytest

from notifications.models import Delivery, ExclusionRecord
from notifications.services.eligibility import Exclusion
from notifications.services.fan_out import fan_out, why_not
from signals.market.models import Instrument
from signals.models import Signal
from tests.factories import make_instrument
from tests.notifications.rows import make_outcome, make_signal, make_subscriber
from users.models import Subscriber

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def instrument() -> Instrument:
    return make_instrument()


@pytest.fixture
def subscriber() -> Subscriber:
    return make_subscriber()


def given(signal: Signal) -> list[int]:
    fan_out(signal=signal)
    return list(Delivery.objects.filter(signal=signal).values_list("subscriber_id", flat=True))


def test_another_source_on_the_instrument_is_superseded_and_recorded(
    instrument: Instrument, subscriber: Subscriber
) -> None:
    first = make_signal(instrument=instrument, published_at=NOON)
    assert given(first) == [subscriber.pk]
    late = make_subscriber()  # was given nothing: nothing stands for this one
    second = make_signal(instrument=instrument, published_at=NOON + MINUTE, source="autopilot")

    assert given(second) == [late.pk]
    record = ExclusionRecord.objects.get(signal=second)
    assert (record.reason, record.subscriber_ids) == (Exclusion.SUPERSEDED, [subscriber.pk])
    assert why_not(second, subscriber) == Exclusion.SUPERSEDED.words


def test_the_same_source_and_other_instruments_go_out(instrument: Instrument, subscriber: Subscriber) -> None:
    given(make_signal(instrument=instrument, published_at=NOON, source="autopilot"))

    again = make_signal(instrument=instrument, published_at=NOON + MINUTE, source="autopilot")
    elsewhere = make_signal(instrument=make_instrument(), published_at=NOON + MINUTE)
    assert given(again) == given(elsewhere) == [subscriber.pk]


def test_what_has_expired_or_ended_stands_no_more(instrument: Instrument, subscriber: Subscriber) -> None:
    first = make_signal(instrument=instrument, published_at=NOON, expires_at=NOON + 5 * MINUTE)
    given(first)
    during = make_signal(instrument=instrument, published_at=NOON + 4 * MINUTE, source="autopilot")
    after = make_signal(instrument=instrument, published_at=NOON + 5 * MINUTE, source="autopilot")
    assert given(during) == []
    assert given(after) == [subscriber.pk]

    other = make_instrument()
    ended = make_signal(instrument=other, published_at=NOON)
    given(ended)
    make_outcome(signal=ended, recorded_at=NOON + 2 * MINUTE)
    assert given(make_signal(instrument=other, published_at=NOON + MINUTE, source="autopilot")) == []
    assert given(make_signal(instrument=other, published_at=NOON + 3 * MINUTE, source="autopilot")) == [
        subscriber.pk
    ]

"""An experiment by subscriber: the SQL draws as the engine does, and nobody gets two arms."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from notifications.models import Delivery
from notifications.services.eligibility import Exclusion
from notifications.services.fan_out import excluded_subscribers, fan_out, why_not
from signals.engine.assignment import arm_of
from signals.models import Experiment
from signals.services.experiments import ArmPlan, create_experiment, end_experiment, start_experiment
from tests.factories import make_instrument
from tests.notifications.rows import make_signal, make_subscriber, make_tier
from users.models import Subscriber

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHARES = [0.5, 0.3, 0.2]


def running(assignment: str = "subscriber", block_hours: int | None = None) -> Experiment:
    experiment = create_experiment(
        name="Stops",
        question="Which?",
        assignment=assignment,
        block_hours=block_hours,
        arms=[ArmPlan("live", 0.5), ArmPlan("b", 0.3, "b"), ArmPlan("c", 0.2, "c")],
        by="ada",
        now=NOW - HOUR,
    )
    return start_experiment(experiment=experiment, by="ada", now=NOW - HOUR)


@pytest.fixture
def people() -> list[Subscriber]:
    tier = make_tier()
    return [make_subscriber(tier=tier) for _ in range(60)]


def given(variant: str, published_at: datetime = NOW, **values: object) -> set[int]:
    signal = make_signal(
        instrument=make_instrument(),
        variant=variant,
        published_at=published_at,
        candle_open_time=published_at - HOUR,
        **values,
    )
    fan_out(signal=signal)
    return set(Delivery.objects.filter(signal=signal).values_list("subscriber_id", flat=True))


def test_each_subscriber_gets_the_arm_that_the_engine_draws(people: list[Subscriber]) -> None:
    experiment = running()
    expected: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    for each in people:
        expected[arm_of(experiment.salt, str(each.public_id), SHARES)].add(each.pk)

    assert [given(""), given("b"), given("c")] == [expected[0], expected[1], expected[2]]
    assert all(expected.values())


def test_whoever_is_in_another_arm_is_told_so(people: list[Subscriber]) -> None:
    experiment = running()
    signal = make_signal(variant="b", published_at=NOW, candle_open_time=NOW - HOUR)
    fan_out(signal=signal)
    other = next(each for each in people if arm_of(experiment.salt, str(each.public_id), SHARES) != 1)

    assert why_not(signal, other) == Exclusion.OTHER_ARM.words
    assert excluded_subscribers(signal=signal)[other.pk] is Exclusion.OTHER_ARM


def test_other_rules_exclude_before_the_arm_does(people: list[Subscriber]) -> None:
    running()
    signal = make_signal(variant="b", published_at=NOW, candle_open_time=NOW - HOUR, confidence=0.1)

    assert set(excluded_subscribers(signal=signal).values()) == {Exclusion.CONFIDENCE}


def test_outside_the_experiment_everybody_gets_the_signal(people: list[Subscriber]) -> None:
    everybody = {each.pk for each in people}
    experiment = running()

    assert given("", NOW - 2 * HOUR) == everybody
    assert given("", source="autopilot") == everybody
    assert given("") < everybody
    end_experiment(experiment=experiment, by="ada", conclusion="Done.", now=NOW + HOUR)
    assert given("", NOW + HOUR) == everybody
    assert given("b", NOW + HOUR, public_id=uuid4()) < everybody  # a late one of an arm stays the arm's


def test_a_block_of_signal_time_is_for_everybody(people: list[Subscriber]) -> None:
    running("block", 6)

    assert given("b") == given("") == {each.pk for each in people}

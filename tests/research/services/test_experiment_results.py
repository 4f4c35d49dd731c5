"""What an experiment has shown, from rows, against counts by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from notifications.models import Answer, Delivery, DeliveryState, Feedback
from notifications.services.fan_out import fan_out
from research.engine.ab_test import Finding, Metric
from research.services.experiment_results import NotStartedError, measure
from signals.engine.assignment import arm_of
from signals.models import Experiment
from signals.services.experiments import ArmPlan, create_experiment, end_experiment, start_experiment
from tests.factories import make_instrument
from tests.notifications.rows import make_outcome, make_signal, make_subscriber, make_tier

pytestmark = pytest.mark.django_db

BEGUN = datetime(2026, 5, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def planned(assignment: str = "subscriber", block_hours: int | None = None) -> Experiment:
    return create_experiment(
        name="Stops",
        question="Which?",
        assignment=assignment,
        block_hours=block_hours,
        arms=[ArmPlan("live", 0.5), ArmPlan("tight", 0.5, "tight")],
        by="ada",
        now=BEGUN,
    )


def running(assignment: str = "subscriber", block_hours: int | None = None) -> Experiment:
    return start_experiment(experiment=planned(assignment, block_hours), by="ada", now=BEGUN)


def followed(variant: str, moment: datetime, r_multiple: float) -> None:
    signal = make_signal(
        instrument=make_instrument(), variant=variant, published_at=moment, candle_open_time=moment - HOUR
    )
    make_outcome(signal=signal, r_multiple=r_multiple, recorded_at=moment + 4 * HOUR)


@pytest.mark.slow
def test_results_count_by_day_and_a_better_arm_is_found() -> None:
    experiment, rng = running(), np.random.default_rng(1)
    for day in range(40):
        for hour in (3, 15):
            followed("", BEGUN + day * DAY + hour * HOUR, float(rng.normal(-0.8, 0.5)))
            followed("tight", BEGUN + day * DAY + hour * HOUR, float(rng.normal(0.8, 0.5)))
    followed("tight", BEGUN - HOUR, 100.0)  # closed before the experiment began

    found = measure(experiment=experiment, as_of=BEGUN + 41 * DAY)

    first = next(each for each in found.differences if each.metric is Metric.R_MULTIPLE)
    assert (first.control_units, first.variant_units) == (40, 40)
    assert first.difference == pytest.approx(1.6, abs=0.3)
    assert found.finding is Finding.BETTER


def test_what_is_not_known_yet_or_came_after_the_end_is_left_out() -> None:
    experiment = running()
    for day in range(3):
        followed("", BEGUN + day * DAY + HOUR, 1.0)
        followed("tight", BEGUN + day * DAY + HOUR, 1.0)

    def days(as_of: datetime) -> int:
        return measure(experiment=Experiment.objects.get(), as_of=as_of).differences[0].variant_units

    assert days(BEGUN + 2 * DAY + 4 * HOUR) == 2
    assert days(BEGUN + 3 * DAY) == 3
    end_experiment(experiment=experiment, by="ada", conclusion="Done.", now=BEGUN + DAY)
    assert days(BEGUN + 3 * DAY) == 1


def test_acting_counts_by_subscriber_of_signals_that_were_sent_and_have_expired() -> None:
    experiment, tier = running(), make_tier()
    people = [make_subscriber(tier=tier) for _ in range(24)]
    moment = BEGUN + HOUR
    for _ in range(2):
        for variant in ("", "tight"):
            fan_out(
                signal=make_signal(
                    instrument=make_instrument(),
                    variant=variant,
                    published_at=moment,
                    candle_open_time=moment - HOUR,
                )
            )
    Delivery.objects.update(state=DeliveryState.SENT, sent_at=moment)
    for each in people:
        Feedback.objects.create(
            delivery=Delivery.objects.filter(subscriber=each).first(), answer=Answer.ACTED, answered_at=moment
        )

    early = measure(experiment=experiment, as_of=moment + HOUR)
    found = measure(experiment=experiment, as_of=moment + DAY)

    in_arm = sum(arm_of(experiment.salt, str(each.public_id), [0.5, 0.5]) for each in people)
    acted = next(each for each in found.differences if each.metric is Metric.ACTED_SHARE)
    assert (acted.control_units, acted.variant_units) == (24 - in_arm, in_arm)
    assert (acted.control_mean, acted.variant_mean) == (0.5, 0.5)
    assert found.sample_ratio.assigned == (24 - in_arm, in_arm)
    assert next(each for each in early.differences if each.metric is Metric.ACTED_SHARE).variant_units == 0
    assert found.finding is Finding.TOO_EARLY


def test_by_block_the_blocks_are_what_is_assigned() -> None:
    experiment = running("block", 6)

    found = measure(experiment=experiment, as_of=BEGUN + 10 * DAY - HOUR)

    first = int(BEGUN.timestamp()) // (6 * 3600)
    in_arm = sum(arm_of(experiment.salt, str(first + number), [0.5, 0.5]) for number in range(40))
    assert found.sample_ratio.assigned == (40 - in_arm, in_arm)


def test_an_experiment_that_never_started_has_shown_nothing() -> None:
    with pytest.raises(NotStartedError):
        measure(experiment=planned(), as_of=BEGUN)

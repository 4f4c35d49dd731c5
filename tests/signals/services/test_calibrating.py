"""A confidence is a probability only where past outcomes bear it out."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from signals.engine.exit_plan import PlanKind
from signals.models import Signal
from signals.services.calibrating import Calibrated, calibrate, wilson
from tests.notifications.rows import make_outcome, make_signal

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def outcomes(count: int, *, informative: bool) -> list[Signal]:
    rng, made = np.random.default_rng(4), []
    for number in range(count):
        confidence = float(rng.uniform())
        won = rng.uniform() < (confidence if informative else 0.4)
        signal = make_signal(
            confidence=confidence, published_at=NOW - timedelta(hours=4 * (count - number) + 4)
        )
        make_outcome(signal=signal, r_multiple=1.5 if won else -1.0, recorded_at=NOW - timedelta(hours=1))
        made.append(signal)
    return made


def ask(confidence: float, as_of: datetime = NOW) -> Calibrated:
    return calibrate(source="hybrid", timeframe="1h", plan=PlanKind.FIXED, confidence=confidence, as_of=as_of)


def test_below_the_count_it_is_uncalibrated_and_says_so() -> None:
    outcomes(29, informative=True)
    assert ask(0.8) == Calibrated(None, "uncalibrated: 29 outcomes, 30 are asked for")


def test_a_score_that_orders_becomes_a_probability_with_its_interval() -> None:
    outcomes(150, informative=True)
    high, low = ask(0.9).probability, ask(0.1).probability
    assert high is not None
    assert low is not None
    assert high.value > 0.6
    assert low.value < 0.4
    assert high.low < high.value < high.high
    assert high.n == 150


def test_a_score_that_tells_nothing_is_uncalibrated() -> None:
    outcomes(150, informative=False)
    found = ask(0.9)
    assert found.probability is None
    assert "no more than the base rate" in found.why


def test_outcomes_that_were_recorded_later_are_not_known() -> None:
    outcomes(150, informative=True)
    assert ask(0.9, NOW - timedelta(hours=2)).why == "uncalibrated: 0 outcomes, 30 are asked for"


def test_the_interval_is_wilsons() -> None:
    assert wilson(0.5, 100) == pytest.approx((0.404, 0.596), abs=1e-3)  # published tables
    assert wilson(1.0, 10) == pytest.approx((0.722, 1.0), abs=1e-3)

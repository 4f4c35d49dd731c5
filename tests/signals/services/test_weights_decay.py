"""Feedback is corrected for exposure, decays, and stays within its bounds whatever is pressed."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from signals.models import StrategyWeight
from signals.services.weights import HALF_LIFE, adjust_weight, weight_at
from tests.factories import make_instrument

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def test_all_who_were_shown_a_signal_share_its_ten_percent() -> None:
    instrument = make_instrument()
    for _ in range(50):
        weight = adjust_weight(strategy="rsi", instrument=instrument, acted=True, exposed=50, now=NOW)
    assert weight == pytest.approx(1.1)


def test_change_of_mind_is_as_if_the_first_answer_had_never_been() -> None:
    instrument = make_instrument()
    adjust_weight(strategy="rsi", instrument=instrument, acted=True, exposed=4, now=NOW)
    changed = adjust_weight(
        strategy="rsi", instrument=instrument, acted=False, instead_of=True, exposed=4, now=NOW
    )
    assert changed == pytest.approx(0.9**0.25)


def test_half_of_an_opinion_is_left_after_the_half_life() -> None:
    instrument = make_instrument()
    adjust_weight(strategy="rsi", instrument=instrument, acted=True, now=NOW)
    later = NOW + HALF_LIFE
    assert weight_at(1.1, NOW, later) == pytest.approx(1.05)
    after = adjust_weight(strategy="rsi", instrument=instrument, acted=True, now=later)
    assert after == pytest.approx(1.05 * 1.1)
    row = StrategyWeight.objects.get()
    assert (row.changed_at, row.answers) == (later, 2)
    history = StrategyWeight.pgh_event_model.objects.order_by("pgh_id")  # type: ignore[attr-defined]
    assert [pytest.approx(each.weight) for each in history] == [1.1, 1.05 * 1.1]


def test_ten_thousand_answers_stay_within_the_bounds() -> None:
    assert 0.5 <= weight_at(0.5, NOW, NOW + timedelta(days=3650)) <= 1
    instrument = make_instrument()
    for _ in range(40):
        weight = adjust_weight(strategy="rsi", instrument=instrument, acted=False, now=NOW)
    assert math.isclose(weight, 0.5)
    for _ in range(40):
        weight = adjust_weight(strategy="rsi", instrument=instrument, acted=True, now=NOW)
    assert math.isclose(weight, 1.5)

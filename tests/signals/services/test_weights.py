"""Feedback moves a weight by a tenth and never out of its bounds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from signals.models import StrategyWeight
from signals.services.weights import adjust_weight
from tests.factories import make_instrument


@pytest.mark.django_db
def test_the_first_answer_starts_from_one() -> None:
    instrument = make_instrument()

    assert adjust_weight(strategy="rsi", instrument=instrument, acted=True) == pytest.approx(1.1)
    assert adjust_weight(strategy="macd", instrument=instrument, acted=False) == pytest.approx(0.9)


class AnySequenceOfAnswers(TestCase):
    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.booleans(), min_size=1, max_size=30))
    def test_equals_clamping_by_hand(self, answers: list[bool]) -> None:
        instrument = make_instrument()
        expected = 1.0
        for acted in answers:
            expected = min(1.5, max(0.5, expected * (1.1 if acted else 0.9)))
            adjust_weight(strategy="rsi", instrument=instrument, acted=acted)

        assert StrategyWeight.objects.get(instrument=instrument).weight == pytest.approx(expected)

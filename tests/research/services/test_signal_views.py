"""Signals as views: only what stood and was known at the moment, and towards what they say."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from research.services.signal_views import signal_views, weights_by_views
from tests.factories import make_instrument
from tests.notifications.rows import make_outcome, make_signal

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KNOWN = {"probability": 0.9, "probability_n": 100, "probability_low": 0.8, "probability_high": 0.95}


@pytest.mark.django_db
def test_the_newest_standing_signal_of_each_instrument_is_a_view_and_draws_weight() -> None:
    markets = [make_instrument() for _ in range(4)]
    keys = [each.pk for each in markets]
    make_signal(instrument=markets[0], published_at=NOW - timedelta(hours=2), **KNOWN)
    over = make_signal(instrument=markets[1], published_at=NOW - timedelta(days=2), **KNOWN)
    make_outcome(signal=over, exited_at=NOW - timedelta(days=1))
    make_signal(instrument=markets[2], published_at=NOW + timedelta(hours=1), **KNOWN)
    make_signal(
        instrument=markets[3], published_at=NOW - timedelta(hours=1)
    )  # nobody knows how probable it is
    [view] = signal_views(instruments=keys, as_of=NOW, period_seconds=3600)
    assert view.weights == (1.0, 0.0, 0.0, 0.0)
    assert view.expected_return == pytest.approx((0.9 * 0.1 - 0.1 * 0.05) / 24)
    returns = np.random.default_rng(2).normal(0, 0.01, (300, 4))
    plain = weights_by_views(returns, [], shrink=True, bounds=(0.0, 1.0))
    drawn = weights_by_views(returns, [view], shrink=True, bounds=(0.0, 1.0))
    assert plain == pytest.approx(np.full(4, 0.25), abs=1e-6)
    assert drawn[0] > plain[0] + 0.01
    [earlier] = signal_views(instruments=keys, as_of=NOW - timedelta(days=1, hours=1), period_seconds=3600)
    assert earlier.weights == (0.0, 1.0, 0.0, 0.0)

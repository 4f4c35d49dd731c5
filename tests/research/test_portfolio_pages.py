"""The Portfolio page: weights that keep what was asked, the verdict out of sample, files, a wrong form."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from research.models import PortfolioStudy
from research.services.portfolios import (
    PortfolioRequest,
    ask_for_portfolio,
    carry_out_portfolio,
    common_returns,
)
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.services.job_lease import take_lease
from signals.services.job_run import carry_out
from tests.factories import make_instrument, make_series, store, tail
from users.models import User

START = datetime(2025, 1, 1, tzinfo=UTC)


def three_markets() -> list[Instrument]:
    found = []
    for seed, volatility in ((1, 0.004), (2, 0.008), (3, 0.016)):
        instrument = make_instrument()
        store(instrument, Timeframe.H1, make_series(bars=600, start=START, seed=seed, volatility=volatility))
        found.append(instrument)
    return found


def asked(instruments: list[Instrument], **values: Any) -> PortfolioStudy:
    defaults = {
        "instruments": [each.pk for each in instruments],
        "timeframe": "1h",
        "start": "2025-01-01T00:00:00+00:00",
        "end": "2025-02-01T00:00:00+00:00",
        "objective": "min_variance",
    }
    request = PortfolioRequest(**(defaults | values))
    return ask_for_portfolio(request=request, title="Three", owner="ada", now=timezone.now())


def finished(study: PortfolioStudy) -> PortfolioStudy:
    job = take_lease(job_id=study.job_id)
    assert job is not None
    carry_out(job=job, work=lambda run: carry_out_portfolio(study=study, progress=run.progress))
    study.refresh_from_db()
    return study


def test_returns_are_of_the_moments_that_all_markets_share() -> None:
    first, second = (make_series(bars=50, start=START, seed=seed) for seed in (1, 2))
    shared = common_returns([first, tail(second, 40)])
    assert shared.shape == (39, 2)
    assert np.allclose(shared[:, 0], first.close[11:] / first.close[10:-1] - 1)


@pytest.mark.django_db
def test_least_variance_keeps_the_bounds_and_prefers_the_calm_market() -> None:
    report = finished(asked(three_markets(), high=0.6)).report
    assert report is not None
    weights = report["weights"]
    assert sum(weights) == pytest.approx(1)
    assert max(weights) == pytest.approx(0.6, abs=1e-4) == weights[0]
    assert sum(report["risk"]) == pytest.approx(1)
    assert [row[number] for number, row in enumerate(report["correlation"])] == pytest.approx([1, 1, 1])
    assert report["verdict"].startswith("Prefer")
    least = min(each[0] for each in report["frontier"])
    assert report["volatility"] == pytest.approx(least, rel=1e-3)


@pytest.mark.django_db
def test_nobody_without_the_right_sees_or_asks(client: Client) -> None:
    client.force_login(User.objects.create_user("eve", "eve@example.org", "a-password-1", is_staff=True))
    assert client.get(reverse("research:portfolios")).status_code == 403
    assert client.post(reverse("research:portfolios"), {}).status_code == 403

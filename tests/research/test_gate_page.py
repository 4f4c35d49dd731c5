"""The console says what may be published and why, and the bot's sentence holds what was known to the tier."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from copilot_project.system_gauges import ABSTENTIONS, read
from signals.engine.candidates import TREND_KIND
from signals.models import Evaluation
from signals.selectors import candidate_record, evidence_known
from signals.services.evidence import Ended, record_evidence
from tests.factories import make_instrument

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)


def measured(at: datetime) -> None:
    moments = [int((at - timedelta(days=3 * n)).timestamp() * 1000) for n in range(1, 61)]
    ended = Ended(np.array(moments[::-1]), np.array([2.0, -0.5, -0.7] * 20))
    record_evidence(history={TREND_KIND: ended}, now=at)


def test_analytics_show_each_kind_with_its_standing_and_the_rules_sentence(admin_client: Client) -> None:
    page = admin_client.get(reverse("research:analytics")).content.decode()
    assert "every decision on a real market abstains" in page
    measured(NOW)
    page = admin_client.get(reverse("research:analytics")).content.decode()
    assert "hybrid momentum long, managed exit, crypto" in page
    assert "+0.27 R" in page
    assert "Of 60 trades 33% won; the typical one loses (-0.50 R)" in page
    assert "not proven" in page


def test_what_was_measured_later_is_not_told_earlier() -> None:
    measured(NOW)
    assert evidence_known(known_at=NOW - timedelta(seconds=1)) == []
    assert candidate_record(known_at=NOW - timedelta(seconds=1)) == ""
    assert candidate_record(known_at=NOW).startswith("The trend rule (")


def test_the_share_that_the_gate_kept_back_is_a_gauge() -> None:
    instrument = make_instrument()
    for number, outcome in enumerate(("abstained", "abstained", "abstained", "none", "refused")):
        Evaluation.objects.create(
            instrument=instrument,
            timeframe="1h",
            candle_open_time=NOW - timedelta(hours=number + 1),
            source="hybrid",
            outcome=outcome,
            reason="",
            as_of=NOW,
            evaluated_at=NOW,
        )
    found = {family.name: family.samples for family in read(ABSTENTIONS)}
    assert found["copilot_decided"][0].value == 3
    assert found["copilot_abstention_ratio"][0].value == 1.0

"""AI management, policies: the form starts a job, a policy shows its gates, curves and actions, and can be undone."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from signals.engine.packing import sha256_of
from signals.engine.policy_features import SCHEMA
from signals.market.models import Instrument
from signals.models import Action, Job, ModelState, PolicyChoice, TrainedModel
from signals.services.policy_votes import scope_of
from tests.copilot_project.test_admin_site import staff_with
from tests.research.services.test_policy_training import END, always, instrument

pytestmark = pytest.mark.django_db
__all__ = ["instrument"]
FORM = {
    "algorithms": ["ppo", "dqn"],
    "start": "2025-02-01",
    "end": "2025-05-01",
    "timesteps": "50000",
    "preset": "large_batch",
    "seeds": "2",
}


def kept(instrument: Instrument, state: ModelState, at: datetime) -> TrainedModel:
    payload = always(1).to_npz()
    gates = [
        {"name": "oracle", "passed": True, "share": 0.91, "needed": 0.8},
        {"name": "martingale", "passed": True, "profit": 0.01, "score": 0.4, "allowed": 1.645, "markets": 8},
        {
            "name": "out of sample",
            "passed": False,
            "seeds_better": 1,
            "seeds_needed": 2,
            "hold": 0.1,
            "verdict": "Luck.",
        },
    ]
    return TrainedModel.objects.create(
        kind="ppo", scope=scope_of(instrument), state=state, payload=payload, sha256=sha256_of(payload),
        payload_format="npz", feature_schema=SCHEMA, data_from=at, data_to=at, code_version="x", known_at=at,
        trained_at=at, promoted_at=at, retired_at=at if state == ModelState.RETIRED else None,
        metrics={
            "gates": gates, "curves": {"ppo fold 1 seed 0": [[100, 0.1], [200, 0.2]]}, "weight": 0.25, "resumed": True,
            "out_of_sample": {"sharpe": 1.25, "win_rate": 0.51, "profit": 0.08}, "timesteps": 1, "seeds": 1,
        },
    )  # fmt: skip


def test_form_starts_a_training_whose_page_shows_its_curve(instrument: Instrument) -> None:
    client = staff_with("signals.view_trainedmodel", "signals.add_job")
    asked = FORM | {"instruments": [instrument.pk]}
    answer = client.post(reverse("research:policies"), asked)
    job = Job.objects.get()
    assert answer.headers["location"] == reverse("research:policy_training", args=[job.pk])
    assert (job.kind, job.queue, job.parameters["timesteps"]) == ("train_policy", "training", 50_000)
    Job.objects.update(checkpoint={"curves": {"ppo": [[100, 0.5]]}})
    assert b"Learning curves" in client.get(answer.headers["location"]).content
    curve = client.get(reverse("research:policy_training_curve", args=[job.pk])).json()
    assert (curve["data"][0]["x"], curve["data"][0]["y"]) == ([100], [0.5])
    wrong = client.post(reverse("research:policies"), asked | {"end": "2025-01-01"})
    assert wrong.status_code == 422
    assert b"the end must be later" in wrong.content


def test_policy_shows_gates_and_actions(instrument: Instrument) -> None:
    client = staff_with("signals.view_trainedmodel")
    model = kept(instrument, ModelState.CHAMPION, END)
    PolicyChoice.objects.create(
        instrument=instrument, timeframe="1h", fitted_through=END, fitted_at=END, known_at=END, kind="ppo",
        weight=0.25, records={"ppo": {"sharpe": 1.5, "win_rate": 0.52, "bars": 720, "passes": True}},
    )  # fmt: skip
    listed = client.get(reverse("research:policies")).content.decode()
    for shown in ("out of sample: failed", "oracle: passed", "1.25", "resumed", "PPO", "1.50"):
        assert shown in listed
    page = client.get(reverse("research:policy", args=[model.pk])).content.decode()
    for shown in ("91.0%", "1 seeds better", "Luck.", "What it wants"):
        assert shown in page
    figure = client.get(reverse("research:policy_actions", args=[model.pk])).json()
    marks = {trace["name"]: len(trace["x"]) for trace in figure["data"]}
    assert (marks["Long"], marks["Short"], marks["Flat"]) == (240, 0, 0)


def test_rollback_brings_the_champion_before_back(instrument: Instrument) -> None:
    before = kept(instrument, ModelState.RETIRED, datetime(2025, 1, 1, tzinfo=UTC))
    model = kept(instrument, ModelState.CHAMPION, END)
    reader = staff_with("signals.view_trainedmodel")
    address = reverse("research:policy_back", args=[model.pk])
    assert reader.post(address).status_code == 403
    client = staff_with("signals.view_trainedmodel", "signals.change_trainedmodel")
    assert client.get(address).status_code == 405
    assert client.post(address).status_code == 302
    before.refresh_from_db()
    model.refresh_from_db()
    assert (before.state, model.state) == (ModelState.CHAMPION, ModelState.REJECTED)
    assert Action.objects.filter(what="model.rolled_back").count() == 1
    client.post(address)
    assert Action.objects.filter(what="model.rolled_back").count() == 1


def test_nobody_sees_or_trains_without_the_right(instrument: Instrument) -> None:
    assert staff_with().get(reverse("research:policies")).status_code == 403
    reader = staff_with("signals.view_trainedmodel")
    assert (
        reader.post(reverse("research:policies"), FORM | {"instruments": [instrument.pk]}).status_code == 403
    )
    assert Client().get(reverse("research:policies")).status_code == 302

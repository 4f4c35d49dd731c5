"""The seed's endpoints of training and of the model."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from autopilot.models import BootstrapConfig
from signals.models import Action, Job, JobState, ModelState, TrainedModel
from signals.services.trained_models import promote_model, register_model
from tests.autopilot.api.test_instances import caller, post
from tests.factories import make_instrument
from users.engine.api_key import ApiScope

pytestmark = pytest.mark.django_db
CONFIG = "/api/autopilot/bootstrap-config"
RETRAIN, RESET = "/api/autopilot/intelligent/retrain", "/api/autopilot/intelligent/reset"
INFO, TASKS = "/api/autopilot/intelligent/model-info", "/api/autopilot/tasks/"


def put(client: Any, **body: Any) -> Any:
    return client.put(CONFIG, body, content_type="application/json")


def make_model() -> TrainedModel:
    now = timezone.now()
    return register_model(
        kind="selector", scope="", payload=b"tree", payload_format="lightgbm-text",
        feature_schema=["adx"], data_from=now - timedelta(days=90), data_to=now, metrics={"log_loss": 1.5},
        reason="beat its baselines", known_at=now, now=now,
    )  # fmt: skip


def test_config_has_the_seeds_defaults_and_changes_field_by_field() -> None:
    client = caller()
    make_instrument(symbol="ETH/USDT", base="ETH", aliases=["ETH/USD"])

    before = client.get(CONFIG).json()
    after = put(client, days=365, symbols=["ETH/USD"])

    assert {name: before[name] for name in ("days", "timeframe", "min_samples_per_strategy", "symbols")} == {
        "days": 90,
        "timeframe": "1h",
        "min_samples_per_strategy": 10,
        "symbols": ["BTC/USD", "ETH/USD"],
    }
    assert after.status_code == 200
    assert after.json() == client.get(CONFIG).json() == {**before, "days": 365, "symbols": ["ETH/USD"]}
    assert Action.objects.get(what="bootstrap_config.changed").actor == "boss, by API key robot"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("days", 6),
        ("days", 1_501),
        ("days", None),
        ("timeframe", "2h"),
        ("min_samples_per_strategy", 0),
        ("min_samples_per_strategy", 1_001),
        ("symbols", []),
        ("symbols", ["BTC/USD"] * 201),
        ("symbols", ["NOPE/USD"]),
        ("symbols", "BTC/USD"),
        ("sampling", "none"),
    ],
)
def test_config_out_of_bounds_names_the_field_and_changes_nothing(field: str, value: Any) -> None:
    answer = put(caller(), **{field: value})

    assert answer.status_code == 400, answer.content
    assert {name.split(".")[0] for name in answer.json()["errors"]} == {field}
    assert not BootstrapConfig.objects.exclude(changed_at=None).exists()


def test_retrain_starts_one_job_and_refuses_a_second() -> None:
    client = caller()

    first, second = post(client, RETRAIN), post(client, RETRAIN)

    assert (first.status_code, second.status_code) == (202, 409)
    job = Job.objects.get()
    assert first.json() == {"task_id": str(job.pk)}
    assert (second.json()["code"], second.json()["task_id"]) == ("already_running", str(job.pk))
    assert job.owner == "boss, by API key robot"
    assert client.get(TASKS + str(job.pk)).json()["status"] == "PENDING"


def test_retrain_asked_twice_with_one_idempotency_key_is_one_training() -> None:
    client, named = caller(), {"Idempotency-Key": "train-1"}

    answers = [client.post(RETRAIN, {}, content_type="application/json", headers=named) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert Job.objects.count() == 1


def make_job(state: JobState, **values: Any) -> Job:
    now = timezone.now()
    if state == JobState.RUNNING:
        values |= {"lease_token": uuid.uuid4(), "lease_until": now, "started_at": now}
    elif state != JobState.QUEUED:
        values |= {"ended_at": now}
    return Job.objects.create(kind="train_selector", code_version="x", state=state, created_at=now, **values)


@pytest.mark.parametrize(
    ("state", "values", "status"),
    [
        (JobState.QUEUED, {}, "PENDING"),
        (JobState.RUNNING, {}, "STARTED"),
        (JobState.RUNNING, {"progress_done": 3, "progress_total": 4, "message": "fold 3"}, "PROGRESS"),
        (JobState.SUCCEEDED, {"result": {"log_loss": 1.2}}, "SUCCESS"),
        (JobState.FAILED, {"error": "no candles", "trace": "Traceback: …"}, "FAILURE"),
        (JobState.CANCELLED, {}, "REVOKED"),
    ],
)
def test_task_is_told_in_celerys_words(state: JobState, values: dict[str, Any], status: str) -> None:
    job = make_job(state, **values)

    answer = caller(ApiScope.READ).get(TASKS + str(job.pk)).json()

    assert answer["status"] == status
    assert answer["metrics"] == values.get("result")
    wrong = {"message": "no candles", "trace": "Traceback: …"} if status == "FAILURE" else None
    assert answer["error"] == wrong
    assert answer["progress"]["ratio"] == (0.75 if status == "PROGRESS" else None)


@pytest.mark.parametrize("task", [str(uuid.UUID(int=1)), "nonsense", "%00", "0"])
def test_unknown_task_is_404(task: str) -> None:
    assert caller().get(TASKS + task).status_code in ({400} if task == "%00" else {404})


def test_model_is_described_and_reset_leaves_the_rules() -> None:
    client = caller()
    untrained = client.get(INFO).json()
    promote_model(model=make_model(), by="boss", now=timezone.now())

    trained = client.get(INFO).json()
    resets = [post(client, RESET).json() for _ in range(2)]
    after = client.get(INFO).json()

    assert (untrained["is_trained"], untrained["model_id"]) == (False, None)
    assert "no model has been trained" in untrained["reason"]
    assert (trained["is_trained"], trained["metrics"]) == (True, {"log_loss": 1.5})
    assert [reset["was_trained"] for reset in resets] == [True, False]
    assert (after["is_trained"], "reset" in after["reason"]) == (False, True)
    assert TrainedModel.objects.get().state == ModelState.RETIRED
    assert Action.objects.get(what="model.reset").actor == "boss, by API key robot"


def test_training_needs_its_scope() -> None:
    reader = caller(ApiScope.READ, ApiScope.TRADE)
    assert {post(reader, RETRAIN).status_code, post(reader, RESET).status_code} == {403}
    assert put(reader, days=30).status_code == 403
    assert reader.get(CONFIG).status_code == 200

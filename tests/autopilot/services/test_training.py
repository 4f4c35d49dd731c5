"""Training as a job: one at a time, rejected on noise, reloaded without restart, and rules where it is unusable."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from autopilot.engine.bootstrap import Samples
from autopilot.services import training_run
from autopilot.services.bootstrap_config import update_bootstrap_config
from autopilot.services.champion import ALARM, forget_loaded, loaded_champion
from autopilot.services.training import AlreadyRunning, start_training
from autopilot.services.training_run import TrainingError
from autopilot.tasks import train_selector
from autopilot.trainers.selector import SelectorFit, fit_samples
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Action, Alarm, Job, JobState, ModelState, TrainedModel
from signals.services.jobs import cancel_job, run_here
from signals.services.trained_models import promote_model, roll_back
from tests.factories import make_instrument, make_series, store

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, tzinfo=UTC)
START = datetime(2025, 11, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    forget_loaded()
    yield
    forget_loaded()


@pytest.fixture
def bitcoin() -> Instrument:
    instrument = make_instrument(symbol="BTC/USDT", aliases=["BTC/USD"])
    store(instrument, Timeframe.H1, make_series(bars=1_500, start=START, seed=3))
    update_bootstrap_config(by="ada", now=NOW, symbols=["BTC/USD"], days=40)
    return instrument


def trained(fit: Callable[..., SelectorFit] = fit_samples) -> tuple[Job, TrainedModel]:
    job = start_training(owner="ada", now=NOW)
    result = training_run.train(
        job=job, parameters=job.parameters, fit=fit, progress=lambda done, total, message: None, now=NOW
    )
    Job.objects.filter(pk=job.pk).update(state=JobState.SUCCEEDED, ended_at=NOW)
    return job, TrainedModel.objects.get(pk=result["model"])


def proved(samples: Samples, on_fold: Any) -> SelectorFit:
    """As if it had beaten every baseline; what is told of it is a real fit."""
    fitted = fit_samples(samples, on_fold)
    chosen = fitted.judged.model.argmax(axis=1)
    results = np.full((len(chosen), 5), -1.0)
    results[np.arange(len(chosen)), chosen] = 1.0 + np.arange(len(chosen)) % 7
    others = np.where(chosen == 0, 1, 0)
    judged = replace(
        fitted.judged,
        results=results,
        best_group_choice=others,
        rules_choice=others,
    )
    return replace(fitted, promoted=True, reason="planted by the test", judged=judged)


def test_one_training_at_a_time_and_it_takes_the_settings_of_now(bitcoin: Instrument) -> None:
    job = start_training(owner="ada", now=NOW)

    assert (job.kind, job.queue, job.owner, job.is_resumable) == ("train_selector", "training", "ada", True)
    assert job.parameters["symbols"] == ["BTC/USD"]
    with pytest.raises(AlreadyRunning) as told:
        start_training(owner="bob", now=NOW)
    assert told.value.job == job

    cancel_job(job_id=job.pk, by="ada", now=NOW)
    assert start_training(owner="bob", now=NOW) != job


def test_job_on_a_random_walk_ends_with_a_rejected_model_and_every_figure(bitcoin: Instrument) -> None:
    told: list[str] = []
    parameters = start_training(owner="ada", now=NOW).parameters

    def work(run: Any) -> dict[str, Any]:
        run.progress = lambda done, total, message="": told.append(message)
        return train_selector(run)

    job = run_here(kind="train_selector", parameters=parameters, owner="ada", work=work)

    model = TrainedModel.objects.get(job=job)
    assert job.state == JobState.SUCCEEDED
    assert (model.kind, model.scope, model.state) == ("selector", "", ModelState.REJECTED)
    assert job.result["promoted"] is False
    assert job.result["reason"] == model.reason
    assert "rules go on" in model.reason
    assert "samples of BTC/USDT" in told
    card = model.metrics
    assert card["samples"] > 400
    assert sum(card["class_counts"]) == card["samples"]
    assert sum(map(sum, card["confusion"])) == card["out_of_sample"]["n"]
    assert len(card["calibrations"]) == 5
    assert card["firing"]["instruments"] == 1
    assert set(card["drift"]["index"]) == set(card["importance"]) == set(model.feature_schema["features"])


def test_second_attempt_of_a_job_registers_nothing_twice(bitcoin: Instrument) -> None:
    job, model = trained()

    again = training_run.train(
        job=job, parameters=job.parameters, fit=fit_samples, progress=lambda *told: None, now=NOW
    )

    assert again["model"] == model.pk
    assert TrainedModel.objects.count() == 1


def test_model_that_only_knows_who_trades_is_not_promoted(bitcoin: Instrument) -> None:
    def better_in_log_loss_alone(samples: Samples, on_fold: Any) -> SelectorFit:
        return replace(fit_samples(samples, on_fold), promoted=True, reason="better in log-loss")

    _, model = trained(better_in_log_loss_alone)

    assert model.state == ModelState.REJECTED
    assert "better in log-loss; but its choices earn no more" in model.reason
    assert model.metrics["proved"] is False


def test_without_candles_it_says_what_is_missing() -> None:
    make_instrument(symbol="BTC/USDT")
    update_bootstrap_config(by="ada", now=NOW, symbols=["BTC/USDT"])

    with pytest.raises(TrainingError, match="import or backfill"):
        trained()


def test_proved_model_decides_at_once_and_its_rollback_too(bitcoin: Instrument) -> None:
    assert loaded_champion(as_of=NOW).model is None
    _, first = trained(proved)
    later = NOW + timedelta(minutes=1)

    loaded = loaded_champion(as_of=later)

    assert loaded.model is not None
    assert loaded.row is not None
    assert loaded.row.pk == first.pk
    row = np.full(23, np.nan)
    assert loaded.model.group_probabilities(row).sum() == pytest.approx(1, abs=1e-12)
    choice = loaded.model.choose(row, -1, ["macd", "rsi", "momentum", "dca", "consensus"])
    assert choice.strategy is not None
    assert choice.probability == pytest.approx(choice.group_confidence * choice.strategy_confidence)

    second = TrainedModel.objects.get(pk=trained(proved)[1].pk)
    assert second.state == ModelState.CANDIDATE  # nothing was decided since the champion's data ended
    assert "separate horizons" in second.reason
    promote_model(model=second, by="ada", now=later)
    assert loaded_champion(as_of=later).row.pk == second.pk
    roll_back(kind="selector", scope="", by="ada", now=later + timedelta(minutes=1))
    assert loaded_champion(as_of=later + timedelta(minutes=1)).row.pk == first.pk
    assert list(Action.objects.filter(what__startswith="model.").values_list("actor", flat=True))


@pytest.mark.parametrize("harm", ["payload", "schema"])
def test_unusable_champion_raises_an_alarm_and_rules_go_on(bitcoin: Instrument, harm: str) -> None:
    _, model = trained(proved)
    if harm == "payload":
        TrainedModel.objects.filter(pk=model.pk).update(payload=b"tree\n")
    else:
        TrainedModel.objects.filter(pk=model.pk).update(feature_schema={"version": 1, "features": ["rsi"]})

    for _ in range(2):
        loaded = loaded_champion(as_of=NOW)
        assert loaded.model is None
        assert "rules go on" in loaded.why

    assert Alarm.objects.filter(name=ALARM, cleared_at=None).count() == 1


def test_champion_in_memory_goes_on_when_its_successor_is_corrupt(bitcoin: Instrument) -> None:
    _, first = trained(proved)
    kept = loaded_champion(as_of=NOW)
    _, second = trained(proved)
    later = NOW + timedelta(minutes=1)
    promote_model(model=second, by="ada", now=later)
    TrainedModel.objects.filter(pk=second.pk).update(payload=b"nothing")

    loaded = loaded_champion(as_of=later)

    assert loaded.model is kept.model
    assert loaded.row is not None
    assert loaded.row.pk == first.pk
    assert Alarm.objects.filter(name=ALARM, cleared_at=None).exists()

"""Training that nobody asked for: when there is a reason, and only then."""

from datetime import timedelta

import pytest

from autopilot.services.bootstrap_config import update_bootstrap_config
from autopilot.services.champion import forget_loaded
from autopilot.services.retraining import reason_to_train, retrain_if_due
from autopilot.trainers.selector import train_selector
from signals.engine.packing import sha256_of
from signals.engine.timeframe import Timeframe
from signals.models import Job, TrainedModel
from tests.autopilot.selector_rows import NOW, START, make_selector, noise
from tests.factories import make_instrument, make_series, store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def market() -> None:
    forget_loaded()
    instrument = make_instrument(symbol="T/USDT")
    store(instrument, Timeframe.H1, make_series(bars=1_500, start=START, seed=3))
    update_bootstrap_config(by="ada", now=NOW, symbols=["T/USDT"])


def test_first_candles_are_trained_on_once() -> None:
    job = retrain_if_due(now=NOW)

    assert job is not None
    assert job.owner == ""
    assert retrain_if_due(now=NOW) is None
    Job.objects.update(state="failed", ended_at=NOW)
    assert retrain_if_due(now=NOW + timedelta(hours=6)) is None  # a failure is not repeated at once
    assert retrain_if_due(now=NOW + timedelta(days=1)) is not None


def test_without_candles_nothing_is_started() -> None:
    make_instrument(symbol="OTHER/USDT")
    update_bootstrap_config(by="ada", now=NOW, symbols=["OTHER/USDT"])

    assert retrain_if_due(now=NOW) is None


def test_young_model_is_left_alone_and_an_old_one_is_not() -> None:
    make_selector(proved=False)

    assert reason_to_train(NOW + timedelta(days=6)) == ""
    assert "the newest model is of" in reason_to_train(NOW + timedelta(days=7))


def test_drift_of_the_champion_s_features_is_a_reason() -> None:
    model = make_selector(proved=True, promoted=True)
    assert "moved" not in reason_to_train(NOW)

    moved = dict(noise()[2]["drift"])
    moved["edges"] = {name: [each - 1_000 for each in edges] for name, edges in moved["edges"].items()}
    TrainedModel.objects.filter(pk=model.pk).update(metrics=model.metrics | {"drift": moved})

    assert "features have moved" in reason_to_train(NOW)


def test_champion_that_tells_less_than_frequencies_is_a_reason() -> None:
    model = make_selector(proved=True, promoted=True)
    assert reason_to_train(NOW) == ""  # it was fitted on these very rows

    samples, _, _ = noise()
    wrong = train_selector(
        samples.features, (samples.labels + 1) % 5, samples.decided_at, samples.horizon_ms
    ).model_text.encode()
    TrainedModel.objects.filter(pk=model.pk).update(payload=wrong, sha256=sha256_of(wrong))
    forget_loaded()

    assert "tells less" in reason_to_train(NOW)

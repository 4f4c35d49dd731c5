"""Every trial counts, whatever became of it, and what is judged is deflated by all of them."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from django.db import ProgrammingError, connection, transaction
from django.test import Client

from research.engine.verdict import Belief, verdict
from research.models import Study, Trial, TrialState
from research.services.trials import (
    TrialStateError,
    cancel_trial,
    count_trials,
    delete_trial,
    fail_trial,
    finish_trial,
    judge,
    open_study,
    start_trial,
)
from signals.engine.timeframe import Timeframe
from signals.models import Action
from tests.factories import make_instrument

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RNG = np.random.default_rng(1)


@pytest.fixture
def study() -> Study:
    return opened([make_instrument(), make_instrument()])


def opened(instruments: list[Any], **values: Any) -> Study:
    asked: dict[str, Any] = {"timeframe": Timeframe.H1, "dataset_hash": "a" * 64, "objective": "sharpe_ratio"}
    return open_study(instruments=instruments, by="ada", now=NOW, **asked | values)


def tried(study: Study, period: int, returns: np.ndarray | None = None) -> Trial:
    trial = start_trial(study=study, parameters={"strategy": "rsi", "period": period}, owner="ada", now=NOW)
    if returns is None:
        return trial
    return finish_trial(trial=trial, returns=returns, score=1.0, metrics={}, now=NOW)


def test_the_same_question_is_the_same_study() -> None:
    instruments = [make_instrument(), make_instrument()]

    study = opened(instruments)

    assert opened(instruments[::-1]) == study
    assert set(study.instruments.all()) == set(instruments)
    others = [
        opened(instruments[:1]),
        opened(instruments, dataset_hash="b" * 64),
        opened(instruments, objective="x"),
    ]
    assert len({study, *others}) == 4


def test_failed_cancelled_deleted_and_unfinished_trials_count(study: Study) -> None:
    records = [RNG.normal(0.001 * each, 0.01, 100) for each in range(3)]
    trials = [tried(study, each, records[each]) for each in range(3)]
    fail_trial(trial=tried(study, 3), error="no candles", now=NOW)
    cancel_trial(trial=tried(study, 4), now=NOW)
    tried(study, 5)
    delete_trial(trial=trials[2], by="ada", now=NOW)
    delete_trial(trial=trials[2], by="ada", now=NOW)

    found = count_trials(study)

    assert (found.trials, found.succeeded, found.failed, found.cancelled, found.deleted) == (6, 3, 1, 1, 1)
    sharpes = [each.mean() / each.std(ddof=1) for each in records]
    assert found.variance == pytest.approx(np.var(sharpes, ddof=1))
    assert Trial.objects.shown().count() == 5
    assert Action.objects.filter(what="trial.deleted").count() == 1


def test_a_run_again_is_the_same_trial(study: Study) -> None:
    fail_trial(trial=tried(study, 14), error="disk full", now=NOW)

    again = tried(study, 14)
    assert (again.attempt, again.state, again.error) == (2, TrialState.RUNNING, "")
    done = finish_trial(trial=again, returns=RNG.normal(0, 1, 50) / 100, score=0.4, metrics={"a": 1}, now=NOW)
    kept = start_trial(study=study, parameters={"period": 14.0, "strategy": "rsi"}, owner="bob", now=NOW)

    assert (kept.pk, kept.state, kept.owner, kept.score) == (done.pk, TrialState.SUCCEEDED, "ada", 0.4)
    assert count_trials(study).trials == 1


def test_a_trial_ends_once(study: Study) -> None:
    trial = tried(study, 1)
    cancel_trial(trial=trial, now=NOW)

    with pytest.raises(TrialStateError, match="has ended already"):
        finish_trial(trial=trial, returns=[0.1, 0.2], score=1.0, metrics={}, now=NOW)


def test_a_result_without_a_sharpe_ratio_has_none(study: Study) -> None:
    flat = tried(study, 1, np.zeros(40))

    assert (flat.sharpe_ratio, flat.observations) == (None, 40)
    assert count_trials(study).variance is None


@pytest.mark.slow
def test_the_verdict_is_deflated_by_every_trial(study: Study) -> None:
    noise = RNG.normal(0, 0.01, 400)
    returns = 0.0018 + noise - noise.mean()
    alone = verdict(returns, periods_per_year=365, trials=1)
    tried(study, 0, returns)
    for period in range(1, 60):
        fail_trial(trial=tried(study, period), error="cut short", now=NOW)

    found = judge(study=study, returns=returns, periods_per_year=365)

    assert alone.belief is Belief.BELIEVABLE
    assert found.belief in {Belief.LUCK, Belief.UNPROVEN}
    assert "the best of 60 trials" in found.sentence


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM research_trial",
        "DELETE FROM research_study",
        "UPDATE research_study SET objective = 'better'",
    ],
)
def test_the_database_keeps_every_trial(study: Study, statement: str) -> None:
    tried(study, 1)

    with (
        pytest.raises(ProgrammingError, match="pgtrigger: Cannot"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_a_study_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="instruments and an objective"):
        opened([])


def test_the_admin_shows_deleted_trials_too(study: Study, admin_client: Client) -> None:
    delete_trial(trial=tried(study, 1), by="ada", now=NOW)

    assert "Running" in admin_client.get("/admin/research/trial/").content.decode()
    assert admin_client.get("/admin/research/study/").status_code == 200

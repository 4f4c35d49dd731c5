"""The registry of trials: a study is opened, each run is a trial, and what is judged is deflated by all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, Variance

from research.engine.question import combination_hash, question_hash
from research.engine.verdict import Verdict, verdict
from research.models import Study, Trial, TrialState
from signals.engine.performance import sharpe_ratio
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Job
from signals.services.actions import record_action


class TrialStateError(Exception):
    """The step does not fit the trial's state; the message says why."""


@dataclass(frozen=True, slots=True)
class TrialCount:
    """trials: all that were run, failed, cancelled and deleted ones too; variance: of the per-period Sharpe ratios of
    those that have one, None for fewer than two."""

    trials: int
    succeeded: int
    failed: int
    cancelled: int
    deleted: int
    variance: float | None


def open_study(
    *,
    instruments: Iterable[Instrument],
    timeframe: Timeframe,
    dataset_hash: str,
    objective: str,
    by: str,
    now: datetime,
) -> Study:
    """The study of this question: the one that was opened before, with all its trials, where there is one."""
    chosen = sorted(instruments, key=lambda each: each.pk)
    if not chosen or not objective.strip():
        raise ValueError("a study needs instruments and an objective")
    asked = question_hash(
        instruments=[f"{each.exchange.code}:{each.symbol}" for each in chosen],
        timeframe=timeframe.value,
        dataset=dataset_hash,
        objective=objective,
    )
    with transaction.atomic():
        study, is_new = Study.objects.get_or_create(
            question_hash=asked,
            defaults={
                "timeframe": timeframe.value,
                "dataset_hash": dataset_hash,
                "objective": objective,
                "created_at": now,
                "created_by": by,
            },
        )
        if is_new:
            study.instruments.set(chosen)
    return study


def start_trial(
    *,
    study: Study,
    parameters: Mapping[str, Any],
    owner: str,
    now: datetime,
    job: Job | None = None,
    seed: int = 0,
) -> Trial:
    """The trial of these parameters, counted from now on. One that succeeded before is given back as it is; another
    is run again under the same row."""
    fresh: dict[str, Any] = {
        "state": TrialState.RUNNING,
        "owner": owner,
        "job": job,
        "seed": seed,
        "code_version": settings.CODE_VERSION,
        "started_at": now,
    }
    with transaction.atomic():
        trial, is_new = Trial.objects.select_for_update().get_or_create(
            study=study,
            combination=combination_hash(parameters),
            defaults={"parameters": dict(parameters)} | fresh,
        )
        if is_new or trial.state == TrialState.SUCCEEDED:
            return trial
        for name, value in fresh.items():
            setattr(trial, name, value)
        trial.ended_at, trial.error, trial.attempt = None, "", trial.attempt + 1
        trial.save()
    return trial


def finish_trial(
    *, trial: Trial, returns: npt.ArrayLike, score: float, metrics: Mapping[str, Any], now: datetime
) -> Trial:
    """returns: net, one per period; score: of the study's objective, NaN where it has none."""
    record = np.asarray(returns, dtype=np.float64)
    sharpe = sharpe_ratio(record, 1.0)
    return _end(
        trial,
        TrialState.SUCCEEDED,
        now,
        score=score if isfinite(score) else None,
        sharpe_ratio=sharpe if isfinite(sharpe) else None,
        observations=len(record),
        metrics=dict(metrics),
    )


def fail_trial(*, trial: Trial, error: str, now: datetime) -> Trial:
    return _end(trial, TrialState.FAILED, now, error=error or "failed without a word")


def cancel_trial(*, trial: Trial, now: datetime) -> Trial:
    return _end(trial, TrialState.CANCELLED, now)


def delete_trial(*, trial: Trial, by: str, now: datetime) -> None:
    """Out of sight, never out of the count."""
    with transaction.atomic():
        if Trial.objects.filter(pk=trial.pk, deleted_at=None).update(deleted_at=now):
            record_action(actor=by, what="trial.deleted", target=str(trial), now=now)


def count_trials(study: Study) -> TrialCount:
    return TrialCount(
        **study.trials.aggregate(
            trials=Count("pk"),
            succeeded=Count("pk", filter=Q(state=TrialState.SUCCEEDED)),
            failed=Count("pk", filter=Q(state=TrialState.FAILED)),
            cancelled=Count("pk", filter=Q(state=TrialState.CANCELLED)),
            deleted=Count("pk", filter=Q(deleted_at__isnull=False)),
            variance=Variance("sharpe_ratio", sample=True),
        )
    )


def judge(
    *,
    study: Study,
    returns: npt.ArrayLike,
    periods_per_year: float,
    overfitting: float | None = None,
    trades: int | None = None,
) -> Verdict:
    """The verdict on net returns of one of the study's trials, deflated by all of them."""
    counted = count_trials(study)
    return verdict(
        returns,
        periods_per_year=periods_per_year,
        trials=max(counted.trials, 1),
        trials_variance=counted.variance,
        overfitting=overfitting,
        trades=trades,
    )


def _end(trial: Trial, state: TrialState, now: datetime, **values: Any) -> Trial:
    with transaction.atomic():
        found = Trial.objects.select_for_update().get(pk=trial.pk)
        if found.state != TrialState.RUNNING:
            raise TrialStateError(f"{found} has ended already")
        for name, value in {"state": state, "ended_at": now, **values}.items():
            setattr(found, name, value)
        found.save()
    return found

"""Trials of a search: counted and settled some at a time, and read again by whoever goes on with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import F

from research.engine.question import combination_hash
from research.models import Study, Trial, TrialState
from signals.engine.candle import FloatArray
from signals.engine.performance import sharpe_ratio
from signals.models import Job

SETTLED = ["state", "ended_at", "score", "sharpe_ratio", "observations", "metrics", "returns", "error"]


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """What one combination brought: net returns, one per period, or the words in which it failed."""

    returns: FloatArray | None
    trades: int = 0
    error: str = ""


def start_trials(
    *,
    study: Study,
    combinations: Sequence[Mapping[str, Any]],
    owner: str,
    now: datetime,
    job: Job | None,
    seed: int = 0,
) -> list[Trial]:
    """A row for each, in order, counted from now on; equal combinations share one. What succeeded stays as it is."""
    hashes = [combination_hash(each) for each in combinations]
    fresh: dict[str, Any] = {
        "state": TrialState.RUNNING,
        "owner": owner,
        "job": job,
        "seed": seed,
        "code_version": settings.CODE_VERSION,
        "started_at": now,
    }
    with transaction.atomic():
        asked = study.trials.filter(combination__in=hashes)
        asked.exclude(state=TrialState.SUCCEEDED).update(
            **fresh, ended_at=None, error="", attempt=F("attempt") + 1
        )
        new = {
            name: Trial(study=study, combination=name, parameters=dict(each), **fresh)
            for name, each in zip(hashes, combinations, strict=True)
        }
        for known in asked.values_list("combination", flat=True):
            del new[known]
        Trial.objects.bulk_create(new.values(), ignore_conflicts=True)
        rows = {each.combination: each for each in asked.all()}
    return [rows[name] for name in hashes]


def settle_trials(*, ran: Sequence[tuple[Trial, Ran]], periods_per_year: float, now: datetime) -> None:
    """Write what came of each. One that had succeeded before keeps its figures and gets its returns."""
    for trial, found in ran:
        if found.returns is None:
            trial.state, trial.error = TrialState.FAILED, found.error or "failed without a word"
        else:
            had_succeeded = trial.state == TrialState.SUCCEEDED
            sharpe = sharpe_ratio(found.returns, 1.0)
            score = sharpe_ratio(found.returns, periods_per_year)
            trial.state = TrialState.SUCCEEDED
            trial.returns = np.asarray(found.returns, dtype="<f8").tobytes()
            trial.metrics = (trial.metrics if had_succeeded else {}) | {"trades": found.trades}
            trial.sharpe_ratio = sharpe if isfinite(sharpe) else None
            trial.score = score if isfinite(score) else None
            trial.observations = len(found.returns)
        trial.ended_at = trial.ended_at or now
    Trial.objects.bulk_update([trial for trial, _ in ran], SETTLED)


def end_trials(*, trials: Sequence[Trial], state: TrialState, error: str, now: datetime) -> None:
    """Those that were begun and will not be done: cancelled or failed, and counted."""
    pks = [each.pk for each in trials]
    Trial.objects.filter(pk__in=pks, state=TrialState.RUNNING).update(state=state, ended_at=now, error=error)


def ran_before(trial: Trial) -> Ran | None:
    """What an earlier run kept; None where it has to be run."""
    if trial.state != TrialState.SUCCEEDED or trial.returns is None:
        return None
    return Ran(np.frombuffer(bytes(trial.returns), dtype="<f8"), trial.metrics.get("trades", 0))

"""Searches over parameters: asked for, run as trials that rebuild the search after a worker's death, judged.

Every batch of the search is a batch of trials. Whoever goes on asks the same search from its beginning, and is told
from the trials' rows what was run before.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from research.engine.backtest_report import daily, returns_of
from research.engine.question import dataset_hash
from research.engine.search import Combination
from research.engine.walk_forward_choice import search_folds
from research.models import Study, Sweep, Trial, TrialState
from research.services.backtest_request import BacktestRequest
from research.services.backtest_run import (
    Progress,
    Stretch,
    load_stretches,
    name_of,
    signals_of_stretches,
    simulated,
)
from research.services.backtests import OBJECTIVE, packed
from research.services.sweep_report import Tried, reported
from research.services.sweep_request import SweepRequest
from research.services.trial_batches import Ran, end_trials, ran_before, settle_trials, start_trials
from research.services.trials import open_study
from signals.engine.candle import FloatArray, TimeArray
from signals.engine.performance import periods_per_year, sharpe_ratio
from signals.engine.session import AssetClass
from signals.engine.timeframe import Timeframe
from signals.models import Job
from signals.services.actions import record_action
from signals.services.job_run import JobCancelled, JobLeaseLostError
from signals.services.jobs import start_job


def ask_for_sweep(*, request: SweepRequest, title: str, owner: str, now: datetime) -> Sweep:
    """The row and the job that fills it."""
    with transaction.atomic():
        job = start_job(kind="sweep", parameters=request.as_json(), owner=owner, now=now)
        return Sweep.objects.create(
            title=title, parameters=request.as_json(), owner=owner, job=job, created_at=now
        )


def archive_sweep(*, sweep: Sweep, by: str, now: datetime) -> None:
    """Out of the list; its trials go on counting."""
    with transaction.atomic():
        if Sweep.objects.filter(pk=sweep.pk, archived_at=None).update(archived_at=now):
            record_action(actor=by, what="sweep.archived", target=str(sweep.pk), now=now)


def sweep_of(job: Job) -> Sweep:
    """The row of a job that a page started; made here for one of the command line."""
    base = job.parameters["base"]
    defaults = {
        "title": f"{base['strategy']} {base['start'][:10]} to {base['end'][:10]}",
        "parameters": job.parameters,
        "owner": job.owner,
        "created_at": job.created_at,
    }
    return Sweep.objects.get_or_create(job=job, defaults=defaults)[0]


def carry_out_sweep(*, sweep: Sweep, progress: Progress) -> dict[str, Any]:
    """Run what was not run before, count all of it, judge it; the answer is what the job keeps."""
    request = SweepRequest.from_json(sweep.parameters)
    search = request.search()
    progress(0, search.total, "reads candles")
    stretches = load_stretches(request.base)
    dataset = dataset_hash({name_of(each.instrument): each.candles for each in stretches})
    study = open_study(
        instruments=[each.instrument for each in stretches],
        timeframe=Timeframe(request.base.timeframe),
        dataset_hash=dataset,
        objective=OBJECTIVE,
        by=sweep.owner,
        now=timezone.now(),
    )
    Sweep.objects.filter(pk=sweep.pk).update(study=study)
    runner = _Runner(request, stretches, study, sweep, progress, search.total)
    while batch := search.ask():
        search.tell(runner.scores(batch))
    report, arrays = reported(
        request=request,
        study=study,
        days=runner.days,
        tried=list(runner.tried.values()),
        days_per_year=runner.days_per_year,
    )
    report |= {"dataset_hash": dataset, "asked": runner.done}
    Sweep.objects.filter(pk=sweep.pk).update(report=report, arrays=packed(arrays))
    progress(search.total, search.total, f"{len(runner.tried)} combinations")
    return {
        "combinations": len(runner.tried),
        "best": report["best"],
        "verdict": report["verdict"]["sentence"],
        "walk_forward": f"Chosen by the past alone: {report['walk_forward']['sentence']}",
    }


class _Runner:
    """Runs batches over candles that were read once."""

    def __init__(
        self,
        request: SweepRequest,
        stretches: list[Stretch],
        study: Study,
        sweep: Sweep,
        progress: Progress,
        total: int,
    ) -> None:
        self.request, self.stretches, self.study, self.sweep = request, stretches, study, sweep
        self.progress, self.total, self.done = progress, total, 0
        self.tried: dict[int, Tried] = {}  # by trial, in the order in which they were asked for
        self.days = traded_days(stretches)
        self.days_per_year = periods_per_year(Timeframe.D1, AssetClass(stretches[0].instrument.asset_class))
        folds = search_folds(
            len(self.days), folds=request.folds, purge=request.purge, embargo=request.embargo
        )
        self.learnt_from = folds[0].train

    def scores(self, batch: Sequence[Combination]) -> list[float]:
        """Of each combination: its Sharpe ratio before the first test, which is all that the search may see."""
        asked = [self._request(each) for each in batch]
        trials = start_trials(
            study=self.study,
            combinations=[each.as_json() for each in asked],
            owner=self.sweep.owner,
            now=timezone.now(),
            job=self.sweep.job,
            seed=self.request.seed,
        )
        found: dict[int, Ran] = {}
        new: list[tuple[Trial, Ran]] = []
        try:
            for trial, one in zip(trials, asked, strict=True):
                if trial.pk not in found:
                    before = ran_before(trial)
                    found[trial.pk] = before or self._run(one)
                    if before is None:
                        new.append((trial, found[trial.pk]))
                self.done += 1
                self.progress(self.done, self.total, f"{len(self.tried) + len(found)} combinations")
        except JobLeaseLostError:
            raise  # the rows are another worker's by now
        except JobCancelled:
            self._settle(new)
            end_trials(trials=trials, state=TrialState.CANCELLED, error="", now=timezone.now())
            raise
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            end_trials(trials=trials, state=TrialState.FAILED, error=told, now=timezone.now())
            raise
        self._settle(new)
        for trial, each in zip(trials, batch, strict=True):
            self.tried.setdefault(trial.pk, Tried(each, found[trial.pk]))
        return [self._score(found[trial.pk]) for trial in trials]

    def _settle(self, new: list[tuple[Trial, Ran]]) -> None:
        settle_trials(ran=new, periods_per_year=self.days_per_year, now=timezone.now())

    def _request(self, combination: Combination) -> BacktestRequest:
        asked = self.request.with_parameters(combination)
        if asked is None:
            raise ValueError(f"{combination} cannot be run")
        return asked

    def _run(self, asked: BacktestRequest) -> Ran:
        try:
            signals = signals_of_stretches(asked, self.stretches, _unheard)
        except ValueError as error:  # the strategy cannot judge these candles with such parameters
            return Ran(None, error=str(error))
        simulation = simulated(asked, self.stretches, signals)
        worth = daily(simulation.times, simulation.equity)[1]
        return Ran(returns_of(worth, float(asked.cash)), trades=len(simulation.closed))

    def _score(self, ran: Ran) -> float:
        return np.nan if ran.returns is None else sharpe_ratio(ran.returns[self.learnt_from], 1.0)


def _unheard(_done: int, _total: int, _message: str) -> None:
    """A single combination's own steps are too short to be told."""


def traded_days(stretches: Sequence[Stretch]) -> TimeArray:
    """UTC ms, as an account over all the stretches counts them."""
    times = np.unique(np.concatenate([each.traded.open_time for each in stretches]))
    ignored: FloatArray = np.zeros(len(times))
    return daily(times, ignored)[0]

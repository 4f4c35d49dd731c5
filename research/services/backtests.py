"""Backtests asked for on the pages, by the API or a command: a row and its job, a trial of its study, a report."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.utils import timezone

from autopilot.engine.simulation import Simulation
from research.engine.backtest_report import (
    Measure,
    account_measures,
    daily,
    finite,
    held,
    monthly,
    returns_of,
    trade_measures,
)
from research.engine.question import dataset_hash
from research.models import Backtest, Study, Trial, TrialState
from research.services.backtest_request import BacktestRequest
from research.services.backtest_run import (
    Progress,
    Stretch,
    load_stretches,
    name_of,
    signals_of_stretches,
    simulated,
)
from research.services.trials import cancel_trial, fail_trial, finish_trial, judge, open_study, start_trial
from signals.engine.performance import periods_per_year, sharpe_ratio
from signals.engine.session import AssetClass
from signals.engine.timeframe import Timeframe
from signals.services.actions import record_action
from signals.services.job_run import JobCancelled
from signals.services.jobs import start_job

OBJECTIVE = "sharpe ratio of daily returns after costs"
Arrays = dict[str, npt.NDArray[Any]]


def ask_for_backtest(*, request: BacktestRequest, title: str, owner: str, now: datetime) -> Backtest:
    """The row and the job that fills it."""
    with transaction.atomic():
        job = start_job(kind="backtest", parameters=request.as_json(), owner=owner, now=now)
        return Backtest.objects.create(
            title=title, parameters=request.as_json(), owner=owner, job=job, created_at=now
        )


def archive_backtest(*, backtest: Backtest, by: str, now: datetime) -> None:
    """Out of the list; its trial goes on counting."""
    with transaction.atomic():
        if Backtest.objects.filter(pk=backtest.pk, archived_at=None).update(archived_at=now):
            record_action(actor=by, what="backtest.archived", target=str(backtest.pk), now=now)


def carry_out_backtest(*, backtest: Backtest, progress: Progress) -> dict[str, Any]:
    """Run it, count it, judge it; the answer is what the job keeps."""
    request = BacktestRequest.from_json(backtest.parameters)
    steps = len(request.instruments) + 1
    progress(0, steps, "reads candles")
    stretches = load_stretches(request)
    markets = {name_of(each.instrument): each.candles for each in stretches}
    dataset, now = dataset_hash(markets), timezone.now()
    study = open_study(
        instruments=[each.instrument for each in stretches],
        timeframe=Timeframe(request.timeframe),
        dataset_hash=dataset,
        objective=OBJECTIVE,
        by=backtest.owner,
        now=now,
    )
    trial = start_trial(
        study=study, parameters=request.as_json(), owner=backtest.owner, now=now, job=backtest.job
    )
    Backtest.objects.filter(pk=backtest.pk).update(trial=trial)
    with counted(trial):
        signals = signals_of_stretches(request, stretches, progress)
        progress(steps - 1, steps, "fills orders")
        simulation = simulated(request, stretches, signals)
        arrays, returns, report = _reported(request, stretches, simulation)
        if trial.state != TrialState.SUCCEEDED:
            score = sharpe_ratio(returns, report["days_per_year"])
            finish_trial(
                trial=trial, returns=returns, score=score, metrics=report["summary"], now=timezone.now()
            )
    report |= {"dataset_hash": dataset, "verdict": _judged(study, returns, report, simulation)}
    Backtest.objects.filter(pk=backtest.pk).update(report=report, arrays=packed(arrays))
    progress(steps, steps, f"{len(simulation.closed)} trades")
    return {"backtest": str(backtest.pk), "trial": trial.pk, "verdict": report["verdict"]["sentence"]}


@contextmanager
def counted(trial: Trial) -> Iterator[None]:
    """A trial that fails or is cancelled counts as such; one that had succeeded before stays as it was."""
    had_succeeded = trial.state == TrialState.SUCCEEDED
    try:
        yield
    except JobCancelled:
        if not had_succeeded:
            cancel_trial(trial=trial, now=timezone.now())
        raise
    except Exception as error:
        if not had_succeeded:
            fail_trial(trial=trial, error=f"{type(error).__name__}: {error}", now=timezone.now())
        raise


def packed(arrays: Arrays) -> bytes:
    """The same arrays, the same bytes."""
    target = io.BytesIO()
    np.savez_compressed(target, **arrays)  # type: ignore[arg-type]
    return target.getvalue()


def unpacked(backtest: Backtest) -> Arrays:
    """equity, optimistic, held (per bar of `times`, UTC ms) and trades; ValueError where it has not succeeded."""
    if backtest.arrays is None:
        raise ValueError(f"backtest {backtest.pk} has no result")
    with np.load(io.BytesIO(bytes(backtest.arrays)), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _reported(
    request: BacktestRequest, stretches: list[Stretch], simulation: Simulation
) -> tuple[Arrays, npt.NDArray[np.float64], dict[str, Any]]:
    cash = float(request.cash)
    optimistic = simulation.optimistic or simulation
    entering = float(request.taker_bps + "e-4") + float(request.slippage_bps + "e-4")
    even = held([each.traded for each in stretches], simulation.times, cash, entering)
    days, worth = daily(simulation.times, simulation.equity)
    returns = returns_of(worth, cash)
    days_per_year = periods_per_year(Timeframe.D1, AssetClass(stretches[0].instrument.asset_class))
    measures = account_measures(returns, days_per_year)
    measures += trade_measures(simulation.closed["net_profit"], simulation.closed["r_multiple"])
    years, months = monthly(days, worth, cash)
    best = returns_of(daily(optimistic.times, optimistic.equity)[1], cash)
    plain = returns_of(daily(simulation.times, even)[1], cash)

    def beside(others: npt.NDArray[np.float64]) -> list[Measure]:
        return account_measures(others, days_per_year, with_intervals=False)

    arrays: Arrays = {
        "times": simulation.times,
        "equity": simulation.equity,
        "optimistic": optimistic.equity,
        "held": even,
        "trades": simulation.trades,
    }
    report = {
        "measures": [asdict(each) for each in measures],
        "benchmark": [asdict(each) for each in beside(plain)],
        "optimistic": [asdict(each) for each in beside(best)],
        "years": years,
        "months": months,
        "instruments": list(simulation.instruments),
        "bars": len(simulation.times),
        "days_per_year": days_per_year,
        "ambiguous_share": finite(simulation.ambiguous_share),
        "summary": {each.name: each.value for each in measures},
    }
    return arrays, returns, report


def _judged(
    study: Study, returns: npt.NDArray[np.float64], report: dict[str, Any], simulation: Simulation
) -> dict[str, Any]:
    found = judge(
        study=study,
        returns=returns,
        periods_per_year=report["days_per_year"],
        trades=len(simulation.closed),
    )
    return {
        "belief": found.belief.value,
        "sentence": found.sentence,
        "trials": found.trials,
        "luck": finite(found.luck),
        "deflated": finite(found.deflated),
        "needed": finite(found.needed),
        "observations": found.observations,
    }

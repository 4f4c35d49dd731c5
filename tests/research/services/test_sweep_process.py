"""A thousand combinations: the process is killed, another goes on, somebody cancels, and asking again ends it."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from research.models import Sweep, Trial, TrialState
from research.services.backtest_request import BacktestRequest
from research.services.sweep_request import SweepRequest
from research.services.sweeps import ask_for_sweep
from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe
from signals.models import Job, JobState
from signals.services.job_sweep import sweep_jobs
from signals.services.jobs import cancel_job
from tests.factories import make_instrument, make_series, store

REPOSITORY = Path(__file__).resolve().parents[3]
NUMBER = 1_000
# As the worker's child does: lease the row, carry it out.
WORKER = """
import sys, django
django.setup()
from research.services.sweeps import carry_out_sweep, sweep_of
from signals.services.job_lease import take_lease
from signals.services.job_run import carry_out
job = take_lease(job_id=sys.argv[1])
carry_out(job=job, work=lambda run: carry_out_sweep(sweep=sweep_of(run.job), progress=run.progress))
"""


def worker(sweep: Sweep, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(sweep.job_id)],
        cwd=REPOSITORY,
        env=environment | {"DJANGO_SETTINGS_MODULE": "copilot_project.settings", "PYTHONWARNINGS": "ignore"},
    )


def succeeded() -> int:
    return Trial.objects.filter(state=TrialState.SUCCEEDED).count()


def wait_for(number: int) -> None:
    until = time.monotonic() + 90
    while succeeded() < number:
        assert time.monotonic() < until, Job.objects.values_list("state", "message", "error")
        time.sleep(0.02)


def one_market() -> int:
    instrument = make_instrument(market_type="perpetual")
    hourly = make_series(bars=700, start=datetime(2024, 1, 1, tzinfo=UTC), volatility=0.03)
    step = Timeframe.H4.milliseconds
    times = hourly.open_time[0] + np.arange(len(hourly), dtype=np.int64) * step
    columns = (hourly.open, hourly.high, hourly.low, hourly.close, hourly.volume)
    store(instrument, Timeframe.H4, OHLCV(times, *columns))
    return instrument.pk


def asked(pk: int) -> Sweep:
    base = BacktestRequest(
        instruments=[pk], strategy="rsi", timeframe="4h",
        start="2024-02-10T00:00:00+00:00", end="2024-04-20T00:00:00+00:00",
    )  # fmt: skip
    request = SweepRequest(
        base=base, space={"period": [5, 29, 1], "stop_atr": [1, 3, 0.25], "target_atr": [1, 3, 0.25]},
        method="random", number=NUMBER, folds=3,
    )  # fmt: skip
    return ask_for_sweep(request=request, title="thousand", owner="ada", now=timezone.now())


@pytest.mark.process
def test_a_thousand_combinations_outlive_a_kill_and_a_cancel(process_env: dict[str, str]) -> None:
    first = asked(one_market())
    with worker(first, process_env) as process:
        wait_for(200)
        os.kill(process.pid, signal.SIGKILL)
    kept = set(Trial.objects.filter(state=TrialState.SUCCEEDED).values_list("pk", flat=True))
    Job.objects.filter(pk=first.job_id).update(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    sweep_jobs()  # as every 30 s: the lease has lapsed, the job is queued again
    with worker(first, process_env):
        wait_for(len(kept) + 100)
        cancel_job(job_id=first.job_id, by="bob", now=timezone.now())
    job = Job.objects.get(pk=first.job_id)
    assert (job.state, job.attempt) == (JobState.CANCELLED, 2)
    assert len(kept) < succeeded() < NUMBER
    again = ask_for_sweep(
        request=SweepRequest.from_json(first.parameters), title="again", owner="ada", now=timezone.now()
    )
    with worker(again, process_env):
        pass
    again.refresh_from_db()
    assert again.report is not None
    assert len(again.report["rows"]) == again.report["verdict"]["trials"] == NUMBER
    assert succeeded() == Trial.objects.count() == NUMBER
    assert Trial.objects.filter(pk__in=kept, attempt=1).count() == len(kept)  # nothing was run twice

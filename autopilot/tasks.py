"""Entry points of the worker: read the clock, call one service.

Services with compiled code are imported inside: whoever only wakes a worker does not load them.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from autopilot.models import AccountKind, Position
from autopilot.services import tidy
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.providers import ProviderError
from signals.market.services.clock import exchange_time
from signals.market.services.guard import guarded
from signals.services.jobs import JobRun

logger = structlog.get_logger(__name__)


@shared_task(name="autopilot.tasks.fill_paper_orders")
def fill_paper_orders(instrument_id: int, timeframe: str, as_of: str) -> None:
    from autopilot.services.paper import fill_orders  # noqa: PLC0415

    fill_orders(
        instrument=Instrument.objects.get(pk=instrument_id),
        timeframe=Timeframe(timeframe),
        as_of=datetime.fromisoformat(as_of),
        now=timezone.now(),
    )


@shared_task(name="autopilot.tasks.sweep_paper_orders")
def sweep_paper_orders() -> None:
    """Fill what a lost wake-up left: it costs half a minute, never a fill."""
    from autopilot.services.paper import fill_orders  # noqa: PLC0415

    alive = Position.objects.alive().filter(account__kind=AccountKind.PAPER).order_by()
    for code in alive.values_list("instrument__exchange__code", flat=True).distinct():
        try:
            as_of = exchange_time(exchange_code=code)
        except ProviderError as error:
            logger.warning("no exchange time, its orders wait", exchange=code, error=str(error))
            continue
        there = alive.filter(instrument__exchange__code=code)
        for instrument_id, timeframe in sorted(set(there.values_list("instrument_id", "timeframe"))):
            with guarded("paper orders", f"{code} instrument {instrument_id} {timeframe}"):
                instrument = Instrument.objects.get(pk=instrument_id)
                fill_orders(
                    instrument=instrument, timeframe=Timeframe(timeframe), as_of=as_of, now=timezone.now()
                )


@shared_task(name="autopilot.tasks.run_cycles")
def run_cycles() -> None:
    from autopilot.services.cycle_run import run_due_cycles  # noqa: PLC0415

    run_due_cycles(now=timezone.now())


@shared_task(name="autopilot.tasks.tidy_decisions")
def tidy_decisions() -> None:
    tidy.tidy_decisions(now=timezone.now())


def wake_broker(instrument_id: int, timeframe: Timeframe, as_of: datetime) -> None:
    """Ask a worker to fill orders soon. A message broker that is down costs time only: the sweeper reads the rows."""
    try:
        fill_paper_orders.delay(instrument_id, timeframe.value, as_of.isoformat())
    except OperationalError as error:
        logger.warning("broker unreachable, the sweeper will fill", error=str(error))


@shared_task(job_kind="train_selector", queue="training", job_time_limit_seconds=3600, job_resumable=True)
def train_selector(run: JobRun) -> dict[str, Any]:
    from autopilot.services.training_run import train  # noqa: PLC0415  (compiled code, in the child alone)
    from autopilot.trainers.selector import fit_samples  # noqa: PLC0415

    return train(
        job=run.job,
        parameters=run.parameters,
        fit=fit_samples,
        progress=run.progress,
        now=timezone.now(),
    )


@shared_task(job_kind="report_model_card", queue="training", job_time_limit_seconds=3600)
def report_model_card(run: JobRun) -> dict[str, Any]:
    from autopilot.services.model_card_report import report_on_files  # noqa: PLC0415
    from autopilot.trainers.selector import fit_samples  # noqa: PLC0415

    asked = run.parameters
    report = report_on_files(
        folder=Path(asked["data"]),
        timeframes=[Timeframe(each) for each in asked["timeframes"]],
        pairs=asked["pairs"],
        fit=fit_samples,
        progress=run.progress,
    )
    if asked["markdown"]:
        Path(asked["markdown"]).write_text(report)
    return {"report": report}


@shared_task(job_kind="selector_on_noise", queue="training", job_time_limit_seconds=3600)
def selector_on_noise(run: JobRun) -> dict[str, Any]:
    from autopilot.trainers.on_noise import promoted_on_noise  # noqa: PLC0415

    asked = run.parameters
    return promoted_on_noise(seeds=asked["seeds"], rows=asked["rows"], progress=run.progress)


@shared_task
def retrain_selector() -> None:
    """Asked often: trains only where there is a reason to."""
    from autopilot.services.retraining import retrain_if_due  # noqa: PLC0415

    retrain_if_due(now=timezone.now())

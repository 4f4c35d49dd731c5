"""Entry points of the worker for research: each is a job that calls one service."""

from datetime import datetime
from pathlib import Path
from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from signals.market.models import Instrument
from signals.models import Job, JobState
from signals.services.jobs import JobRun, start_job


@shared_task(job_kind="replay", queue="research", job_time_limit_seconds=6 * 3600)
def replay_span(run: JobRun) -> dict[str, Any]:
    from research.services.replay import replay  # noqa: PLC0415  (compiled code, in the child alone)

    asked = run.parameters
    replayed = replay(
        start=datetime.fromisoformat(asked["start"]),
        end=datetime.fromisoformat(asked["end"]),
        instruments=list(Instrument.objects.filter(pk__in=asked["instruments"])),
        progress=run.progress,
    )
    return {"replay": replayed.pk, "signals": replayed.signals.count(), "outcomes": replayed.outcomes}


@shared_task(job_kind="backtest", queue="research", job_time_limit_seconds=3600, job_resumable=True)
def run_backtest(run: JobRun) -> dict[str, Any]:
    from research.services.backtests import carry_out_backtest  # noqa: PLC0415  (compiled code, in the child alone)

    return carry_out_backtest(backtest=run.job.backtest, progress=run.progress)


@shared_task(job_kind="sweep", queue="research", job_time_limit_seconds=12 * 3600, job_resumable=True)
def run_sweep(run: JobRun) -> dict[str, Any]:
    from research.services.sweeps import carry_out_sweep, sweep_of  # noqa: PLC0415  (compiled code, in the child alone)

    return carry_out_sweep(sweep=sweep_of(run.job), progress=run.progress)


@shared_task(job_kind="portfolio", queue="research", job_time_limit_seconds=1800, job_resumable=True)
def work_out_portfolio(run: JobRun) -> dict[str, Any]:
    from research.services.portfolios import carry_out_portfolio  # noqa: PLC0415  (a solver, in the child alone)

    return carry_out_portfolio(study=run.job.portfolio_study, progress=run.progress)


@shared_task(job_kind="train_policy", queue="training", job_time_limit_seconds=12 * 3600, job_resumable=True)
def train_policy(run: JobRun) -> dict[str, Any]:
    from research.services.policy_training import carry_out_training  # noqa: PLC0415
    from research.trainers.policy_study import study  # noqa: PLC0415  (torch, in the child alone)

    return carry_out_training(
        job=run.job, study=study, progress=run.progress, save_checkpoint=run.save_checkpoint
    )


@shared_task(job_kind="report_policies", queue="training", job_time_limit_seconds=6 * 3600)
def report_policies(run: JobRun) -> dict[str, Any]:
    from research.services import policy_report  # noqa: PLC0415
    from research.trainers import gates, known_optima, policy_study  # noqa: PLC0415  (torch, in the child alone)

    asked = run.parameters
    size = {"timesteps": asked["timesteps"], "progress": run.progress}
    if asked["part"] == "optima":
        return {"report": policy_report.optima_page(known_optima.measure(seeds=asked["seeds"], **size))}
    start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
    markets = policy_report.markets_from_files(Path(asked["data"]), asked["pairs"], start, end)
    if asked["part"] == "gates":
        page = policy_report.gates_page(markets, study=policy_study.study, seeds=asked["seeds"], **size)
    else:
        from autopilot.trainers.selector import fit_samples  # noqa: PLC0415  (lightgbm)

        page = policy_report.ablation_page(
            markets, years=asked["years"], train=gates.train_on, fit=fit_samples, **size
        )
    return {"report": page}


@shared_task(job_kind="report_strategies", queue="research", job_time_limit_seconds=6 * 3600)
def report_strategies(run: JobRun) -> dict[str, Any]:
    from research.services.report_from_files import report_from_files  # noqa: PLC0415

    asked = run.parameters
    report = report_from_files(
        folder=Path(asked["data"]),
        pairs=asked["pairs"],
        start=datetime.fromisoformat(asked["start"]) if asked["start"] else None,
        end=datetime.fromisoformat(asked["end"]) if asked["end"] else None,
        every=asked["every"],
        with_strategies=asked["with_strategies"],
        progress=run.progress,
    )
    if asked["markdown"]:
        Path(asked["markdown"]).write_text(report)
    return {"report": report}


@shared_task(job_kind="measure_evidence", queue="research", job_time_limit_seconds=3600)
def measure_evidence(run: JobRun) -> dict[str, Any]:
    """What the gate reads from then on."""
    from research.services.evidence import measure_evidence as measure  # noqa: PLC0415

    return measure(now=timezone.now(), progress=run.progress, job=run.job)


@shared_task(queue="research")
def ask_for_evidence() -> None:
    """Asked often, done once a day; a job that waits or runs already is the one."""
    from research.services.evidence import is_due  # noqa: PLC0415

    now = timezone.now()
    waiting = Job.objects.filter(kind="measure_evidence", state__in=[JobState.QUEUED, JobState.RUNNING])
    if is_due(now=now) and not waiting.exists():
        start_job(kind="measure_evidence", parameters={}, owner="", now=now)


@shared_task
def compile_track_record() -> None:
    """Once for each head that has become public, and when a tier's rules change."""
    from research.services.track_record import compile_track_record as compile_record  # noqa: PLC0415

    compile_record(now=timezone.now())


@shared_task
def append_heads() -> None:
    from research.services.head_remote import append_heads as append  # noqa: PLC0415

    if settings.LEDGER_GIT_REMOTE:
        append(remote=settings.LEDGER_GIT_REMOTE, now=timezone.now())


@shared_task
def pack_ended_signals() -> None:
    """Analytics reads what is packed at once, and the newest from their rows."""
    from research.services.ended_chunks import pack_ended_signals as pack  # noqa: PLC0415  (compiled code)

    pack(now=timezone.now())

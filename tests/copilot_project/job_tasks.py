"""Jobs for a real worker: `celery worker -I tests.copilot_project.job_tasks`. Each attempt leaves a line in a file."""

import os
import time
from pathlib import Path
from typing import Any

from celery import shared_task

from signals.services.jobs import JobRun

STEP_SECONDS = 0.1


@shared_task(job_kind="test-resumable", queue="training", job_time_limit_seconds=120, job_resumable=True)
def count_on(run: JobRun) -> dict[str, Any]:
    return count(run)


@shared_task(job_kind="test-once", queue="training", job_time_limit_seconds=120)
def count_once(run: JobRun) -> dict[str, Any]:
    return count(run)


@shared_task(job_kind="test-too-long", queue="training", job_time_limit_seconds=1)
def count_too_long(run: JobRun) -> dict[str, Any]:
    return count(run)


def count(run: JobRun) -> dict[str, Any]:
    first, steps = (run.checkpoint or {}).get("step", 0), run.parameters["steps"]
    with Path(run.parameters["file"]).open("a") as file:
        file.write(f"{os.getpid()} {first}\n")
    for step in range(first, steps):
        run.progress(step, steps, f"step {step}")
        time.sleep(STEP_SECONDS)
        run.save_checkpoint({"step": step + 1})
    return {"steps": steps}

"""Jobs that bring history: from an exchange, and from files."""

from datetime import datetime
from pathlib import Path
from typing import Any

from celery import shared_task
from django.utils import timezone

from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.services.backfill_all import backfill_all
from signals.market.services.import_folder import import_folder, options_from
from signals.services.jobs import JobRun

LONGEST_SECONDS = 6 * 3_600


@shared_task(job_kind="backfill", queue="market", job_time_limit_seconds=LONGEST_SECONDS, job_resumable=True)
def backfill_candles(run: JobRun) -> dict[str, Any]:
    asked = run.parameters
    changed = backfill_all(
        instruments=list(Instrument.objects.select_related("exchange").filter(pk__in=asked["instruments"])),
        timeframe=Timeframe(asked["timeframe"]),
        start=datetime.fromisoformat(asked["start"]),
        end=datetime.fromisoformat(asked["end"]) if asked["end"] else None,
        progress=run.progress,
    )
    return {"candles": changed}


@shared_task(
    job_kind="import_candles", queue="market", job_time_limit_seconds=LONGEST_SECONDS, job_resumable=True
)
def import_candle_files(run: JobRun) -> dict[str, Any]:
    return import_folder(
        path=Path(run.parameters["path"]),
        options=options_from(run.parameters["options"]),
        as_of=timezone.now(),
        progress=run.progress,
    )

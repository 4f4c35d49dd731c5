"""Tasks of the system itself."""

import time
from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from copilot_project.vault import VaultError, changed_since_start
from signals.services.alarms import set_alarm
from signals.services.jobs import JobRun

LOOKS, SECONDS_BETWEEN_LOOKS = 60, 2.0


@shared_task
def watch_vault() -> None:
    """The settings that this process began with stay; that Vault is away or says something else is an alarm."""
    if settings.VAULT_ACCESS is None:
        return
    try:
        changed = changed_since_start(settings.VAULT_ACCESS)
        detail = (
            f"changed in Vault, restart the processes to take it: {', '.join(changed)}" if changed else ""
        )
    except VaultError as error:
        detail = f"{error}; what was read at the start stays"
    set_alarm(name="vault", detail=detail, now=timezone.now())


@shared_task(job_kind="start_weekly_demo", queue="training", job_time_limit_seconds=300)
def start_weekly_demo(run: JobRun) -> dict[str, Any]:
    """Once the first candles have come; of a market that brings too few, it starts nothing."""
    from autopilot.models import Account  # noqa: PLC0415
    from copilot_project.weekly_demo import start_weekly_autopilot  # noqa: PLC0415  (compiled code)

    account = Account.objects.get(pk=run.parameters["account"])
    for look in range(LOOKS):
        started = start_weekly_autopilot(account=account, by=run.job.owner, now=timezone.now())
        if started is not None:
            return {"autopilot": str(started), "threshold": started.min_confidence_threshold}
        run.progress(look, LOOKS, "waits for candles")
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return {"autopilot": None, "threshold": None}

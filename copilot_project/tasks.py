"""Tasks of the house itself."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from copilot_project.vault import VaultError, changed_since_start
from signals.services.alarms import set_alarm


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

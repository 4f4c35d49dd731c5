"""Entry points of the worker: read the clock, call one service."""

import asyncio
from datetime import timedelta

import structlog
from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from notifications.services import inbox
from notifications.services.reply import send_reply

logger = structlog.get_logger(__name__)

LEAVE_TO_ITS_WAKE_UP = timedelta(seconds=10)


@shared_task(name="notifications.tasks.process_update")
def process_update(update_id: int) -> None:
    reply = inbox.process_update(update_id=update_id, now=timezone.now())
    if reply is not None:
        inbox.record_reply(update_id=update_id, result=asyncio.run(send_reply(reply)))


@shared_task(name="notifications.tasks.sweep_updates")
def sweep_updates() -> None:
    """Wake a worker for every update whose wake-up was lost or whose attempt failed."""
    for update_id in inbox.waiting_updates(received_before=timezone.now() - LEAVE_TO_ITS_WAKE_UP):
        wake_worker(update_id)


def wake_worker(update_id: int) -> None:
    """Ask for an update to be worked off; without a broker the sweeper does it within half a minute."""
    try:
        process_update.apply_async((update_id,), retry=False)
    except OperationalError as error:
        logger.warning(
            "broker unreachable, the sweeper will take the update", update=update_id, error=str(error)
        )

"""The web process's sign of life, and its look at the others': a thread beside the requests."""

import threading
import time
from datetime import datetime

import structlog
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from signals.services import alarms
from signals.services.liveness import record_heartbeat

logger = structlog.get_logger(__name__)

EVERY_SECONDS = 10
AGAIN_SECONDS = 1  # after a beat that failed


def start() -> None:
    threading.Thread(target=beat_on, name="heartbeat", daemon=True).start()


def beat_on() -> None:
    """Never returns; a database that is away costs beats, not the thread."""
    started_at = timezone.now()
    while True:
        pause = EVERY_SECONDS
        try:
            beat(watching_since=started_at)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("no heartbeat of web", error=str(error).strip())
            pause = AGAIN_SECONDS
        finally:
            connection.close()
        time.sleep(pause)


def beat(*, watching_since: datetime) -> None:
    record_heartbeat(name="web", expected_every_seconds=EVERY_SECONDS, now=timezone.now())
    alarms.look(watching_since=watching_since)

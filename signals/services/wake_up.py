"""Wake-ups of the worker: they save time, the rows are what counts."""

from typing import Any

import structlog
from celery import Task
from kombu.exceptions import OperationalError

logger = structlog.get_logger(__name__)


def wake_up(task: Task, *args: Any, **options: Any) -> None:
    """Ask a worker to run `task` soon. A broker that is down costs time only: the sweepers read the rows."""
    try:
        task.apply_async(args, retry=False, **options)
    except OperationalError as error:
        logger.warning(
            "broker unreachable, the sweeper will do it", task=task.name, about=args, error=str(error)
        )

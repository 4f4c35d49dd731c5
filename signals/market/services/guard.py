"""One bad item never ends a task over many: what can be expected to fail is recorded, and the rest goes on."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import DataError, IntegrityError, connection

from signals.market.models import ItemFailure
from signals.market.providers import ProviderError

logger = structlog.get_logger(__name__)

# What odd data or an exchange may bring about. A database that is down, or a mistake of ours in a name, ends the task.
EXPECTED = (ProviderError, ValueError, ArithmeticError, LookupError, DataError, IntegrityError)

RECORD = """
INSERT INTO market_itemfailure (task, item, failures, first_failed_at, failed_at, error)
VALUES (%s, %s, 1, now(), now(), %s)
ON CONFLICT (task, item) DO UPDATE SET failures = market_itemfailure.failures + 1,
    failed_at = EXCLUDED.failed_at, error = EXCLUDED.error
"""


@contextmanager
def guarded(task: str, item: str) -> Iterator[None]:
    """Do something for one of many. What fails of EXPECTED is logged and counted, and is over with the next success.

    Failures in a row become an alarm of the task (`signals.services.alarms`).
    """
    try:
        yield
    except EXPECTED as error:
        if isinstance(error, ProviderError):
            logger.warning("item failed", task=task, item=item, error=str(error))
        else:
            logger.exception("item failed", task=task, item=item)
        with connection.cursor() as cursor:
            cursor.execute(RECORD, [task, item[:200], f"{type(error).__name__}: {error}"])
    else:
        ItemFailure.objects.filter(task=task, item=item[:200]).delete()

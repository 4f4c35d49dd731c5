"""Looking at the database until something is so, and saying how it goes."""

import sys
import time
from collections.abc import Callable
from typing import Any

from django.db import connection

from tests.chaos.processes import Killable

PATIENCE_SECONDS = 900.0


def value(query: str, *parameters: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchone()[0]


def until(condition: Callable[[], Any], process: Killable, *, every: float = 0.005) -> None:
    """Wait; RuntimeError when the process that must bring it about is gone or never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if not process.lives() or time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain for {process}:\n{process.log.read_text()[-3000:]}")
        time.sleep(every)


def say(line: str) -> None:
    sys.stderr.write(line + "\n")

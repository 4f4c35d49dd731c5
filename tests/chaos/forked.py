"""An executor as a process of its own that is there at once: forked from one that has everything imported."""

import gc
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from autopilot.services.executor import loop  # noqa: F401  (ccxt is loaded once, here, as in a second that waits)
from copilot_project.embedded.process import die_with_parent
from signals import crash_points


class ForkedExecutor:
    """`manage.py execute_orders`, which kills itself with -9 at `crash` (none: at no point)."""

    def __init__(self, log: Path, crash: str) -> None:
        connections.close_all()
        connections["default"].close_pool()  # type: ignore[attr-defined]  # a fork inherits neither threads nor connections
        self._status: int | None = None
        dies_with_us = die_with_parent(signal.SIGKILL)
        gc.freeze()  # what is there need not be looked at, nor copied, by each of them
        self.pid = os.fork()
        if self.pid == 0:
            dies_with_us()
            _execute(log, crash)

    def status(self) -> int | None:
        """None while it lives; else its exit code, or less than zero for the signal that killed it."""
        if self._status is None:
            pid, raw = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(raw) if pid else None
        return self._status

    def kill(self) -> None:
        if self.status() is None:
            os.kill(self.pid, signal.SIGKILL)
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _execute(log: Path, crash: str) -> NoReturn:
    try:
        os.setsid()
        with log.open("ab") as output:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
                os.dup2(output.fileno(), stream.fileno())
        crash_points.end = lambda: os.kill(os.getpid(), signal.SIGKILL)
        settings.COPILOT_CRASH_AT = crash
        call_command("execute_orders")
    except BaseException:  # noqa: BLE001  (told in the log; the parent sees the status)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)

"""One run per checkout."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from copilot_project.embedded.error import EmbeddedError
from copilot_project.embedded.state import explained, make_passable

LEAVE_SECONDS = 15.0


@contextmanager
def only_run(state: Path) -> Iterator[int]:
    """Hold the lock of this state folder; the value is its descriptor, for the reaper to hold on to.

    Raises EmbeddedError when a run holds it. What a killed run has left is waited for.
    """
    with explained(state):
        make_passable(state)
        lock = open(state / "up.lock", "a+")  # noqa: SIM115
    with lock:
        _acquire(lock)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock.fileno()


def _acquire(lock: IO[str]) -> None:
    deadline = time.monotonic() + LEAVE_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(lock)
            if _runs(holder) or time.monotonic() > deadline:
                raise EmbeddedError(
                    f"CoPilot already runs from this checkout as process {holder}: stop it first "
                    f"(Ctrl-C in its terminal, or `kill {holder}`), or run from another clone"
                ) from None
            time.sleep(0.2)
        else:
            return


def _holder(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read().strip() or "?"


def _runs(pid: str) -> bool:
    try:
        return Path("/proc", pid, "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False

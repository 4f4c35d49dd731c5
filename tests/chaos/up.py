"""`manage.py up` as a whole, and each process in it."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.chaos.processes import Killable, running
from tests.ports import free_port

# What only its own command line holds.
MARKS = {"web": "granian", "worker": "worker", "beat": "beat", "sender": "send_deliveries"}
READYZ_SECONDS = 5.0


@dataclass
class System:
    """The running system; every process of it is the head of a group."""

    process: Killable
    web: str
    sandbox: str

    def group(self, name: str) -> int:
        """LookupError while it is not running."""
        for pid in children_of(self.process.process.pid):
            if MARKS[name] in arguments_of(pid):
                return pid
        raise LookupError(f"{name} is not running")

    def signal(self, name: str, number: signal.Signals) -> None:
        """To the process and all its children."""
        os.killpg(self.group(name), number)

    def is_up(self) -> bool:
        """Whether all that it starts has been started."""
        return b"CoPilot is ready" in self.process.log.read_bytes()

    def readyz(self) -> tuple[int, dict[str, str]]:
        """Status and checks; (0, {}) without an answer."""
        try:
            answer = httpx.get(f"{self.web}/readyz", timeout=READYZ_SECONDS)
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()["checks"]

    def tellers(self, name: str, since: int) -> list[str]:
        """Processes whose log, from that byte on, has an error about the silence of `name`."""
        with self.process.log.open("rb") as log:
            log.seek(since)
            text = log.read().decode(errors="replace")
        pattern = rf"^(\w+) +\|.*\berror\b.*alarm: a process is silent.*\bprocess={name}\b"
        return re.findall(pattern, text, re.MULTILINE)

    def log_size(self) -> int:
        return self.process.log.stat().st_size


@contextmanager
def start_system(state: Path) -> Iterator[System]:
    """All processes on free ports, with the Postgres and the Redis that the environment names."""
    names = ("WEB_PORT", "SANDBOX_PORT", "WORKER_METRICS_PORT", "SENDER_METRICS_PORT")
    ports = {name: str(free_port()) for name in names}
    with running(["manage.py", "up", "--no-demo"], state / "up.log", **ports) as process:
        web, sandbox = (f"http://127.0.0.1:{ports[name]}" for name in ("WEB_PORT", "SANDBOX_PORT"))
        yield System(process, web, sandbox)


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def arguments_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")

"""The whole system under the product's own supervisor, and hands that hurt it."""

import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

from copilot_project import processes
from copilot_project.embedded import Postgres, Redis, checks
from copilot_project.embedded.process import Process
from copilot_project.management.commands.up import start_embedded
from copilot_project.supervisor import Child, Supervisor
from notifications.services.sender.conninfo import conninfo
from tests.chaos.processes import IN_FLIGHT, Sandbox
from tests.chaos.publishing import released_file
from tests.chaos.report import Plan
from tests.chaos.services import REPOSITORY

PATIENCE_SECONDS = 600.0
CRASH_AT = "COPILOT_CRASH_AT"
POSTGRES_AWAY_SECONDS = 60.0


class System:
    """Used by several threads; the supervisor lives in the main one."""

    def __init__(self, plan: Plan, sandbox: Sandbox, supervisor: Supervisor) -> None:
        self.plan, self.sandbox = plan, sandbox
        self._supervisor = supervisor
        self._crash_at: dict[str, dict[str, str]] = {}
        self._released = 0
        self.born_at = datetime.now(UTC)
        self._tapped = 0  # the last delivery whose button was pressed
        self.taps = 0
        self._lock = threading.Lock()
        self.over = threading.Event()  # nobody need wait for anything any more

    async def run(self, process: Process, *, ready: Callable[[], bool] | None = None) -> None:
        """Keep it running, in an environment that `arm` can change for its next life."""
        env = self._crash_at[process.name] = dict(process.env or {})
        log = Path(settings.STATE_DIR) / f"{process.name}.log"
        await self._supervisor.start(replace(process, env=env, log=log), ready=ready)

    def child(self, name: str) -> Child:
        return next(child for child in self._supervisor.children if child.process.name == name)

    def log(self, name: str) -> str:
        return (Path(settings.STATE_DIR) / f"{name}.log").read_text(errors="replace")

    def arm(self, name: str, crash_at: str) -> None:
        """Where the process's next life ends by itself; its present one is not touched."""
        self._crash_at[name][CRASH_AT] = crash_at

    def pid(self, name: str) -> int:
        """Of the life that runs or comes next."""
        child = self.child(name)
        self.until(lambda: child.running, f"{name} did not come back", every=0.02)
        return child.running.pid if child.running else self.pid(name)

    def is_armed(self, pid: int, crash_at: str) -> bool:
        """Whether the process was started with that crash point; it may be gone by now."""
        with suppress(OSError):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            return f"{CRASH_AT}={crash_at}".encode() in variables
        return False

    def kill(self, name: str) -> datetime:
        """SIGKILL to the process and its whole group; the instant before it."""
        child, pid = self.child(name), self.pid(name)
        exits, now = child.exits, datetime.now(UTC)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        self.until(lambda: child.exits > exits, f"{name} does not die", every=0.005)
        return now

    def kill_postgres(self, *, backends: bool) -> datetime:
        """SIGKILL to the postmaster; with `backends` also to each of its children, before they notice."""
        pid = self.pid("postgres")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if backends else []
        now = self.kill("postgres")
        for backend in children:
            with suppress(ProcessLookupError):
                os.kill(int(backend), signal.SIGKILL)
        return now

    def release(self, signals: int) -> None:
        """Let the publisher publish so many more."""
        with self._lock:
            self._released += signals
            draft = released_file().with_suffix(".new")
            draft.write_text(str(self._released))
            draft.replace(released_file())

    @property
    def released(self) -> int:
        return self._released

    def tap(self, number: int) -> int:
        """Press `acted` under so many messages that nobody has pressed under; how many there were."""
        with self._lock:
            rows = ask_all(
                "SELECT d.id, d.public_id, d.telegram_message_id, s.chat_id FROM notifications_delivery d "
                "JOIN users_subscriber s ON s.id = d.subscriber_id "
                "WHERE d.state = 'sent' AND d.kind = 'signal' AND d.id > %s ORDER BY d.id LIMIT %s",
                self._tapped,
                number,
            )
            for row_id, public_id, message_id, chat_id in rows:
                body = {"message_id": message_id, "data": f"fa:{public_id.hex}"}
                self.sandbox.post(f"/chats/{chat_id}/callbacks", body)
                self._tapped = row_id
                self.taps += 1
        return len(rows)

    def until(self, condition: Callable[[], Any], complaint: str, *, every: float = 0.1) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if self.over.is_set() or time.monotonic() > deadline:
                raise RuntimeError(f"seed {self.plan.seed}: {complaint}")
            time.sleep(every)

    def all_published(self) -> bool:
        return bool(ask("SELECT count(*) >= %s FROM signals_signal", self._released))

    def updates_on_their_way(self) -> int:
        """Taps that the sandbox has not brought to the webhook yet."""
        return int(self.sandbox.bot("getWebhookInfo")["pending_update_count"])

    def beaten_since(self, name: str, moment: datetime) -> bool:
        """Whether the process has shown life after that."""
        query = "SELECT EXISTS (SELECT FROM signals_heartbeat WHERE name = %s AND beat_at > %s)"
        return bool(ask(query, name, moment))


@asynccontextmanager
async def services(plan: Plan, sandbox: Sandbox) -> AsyncIterator[System]:
    """Postgres and Redis as `manage.py up` starts them, and as durable."""
    log = (Path(settings.STATE_DIR) / "supervisor.log").open("a")
    with log:
        async with Supervisor(out=log, longest_delay=plan.longest_delay) as supervisor:
            await start_embedded(supervisor, Postgres(settings.STATE_DIR))
            await start_embedded(supervisor, Redis(settings.STATE_DIR))
            system = System(plan, sandbox, supervisor)
            try:
                yield system
            finally:
                system.over.set()


async def move_in(system: System, port: int) -> None:
    """Start web, worker, beat, sender and the publisher."""
    env = processes.environment(port)
    await system.run(processes.web(env, port), ready=partial(checks.answers, port))
    for process in (processes.worker(env), processes.beat(env), _sender(env, system.plan), _publisher(env)):
        await system.run(process)


def _sender(env: Mapping[str, str], plan: Plan) -> Process:
    """Without Telegram's limits, for speed."""
    process = processes.sender(env)
    options = [
        "--per-second",
        "100000",
        "--seconds-per-chat",
        "0",
        "--lease-seconds",
        str(plan.lease_seconds),
    ]
    options += ["--in-flight", str(IN_FLIGHT)]  # as at Telegram's usual pace: what a kill may repeat
    return replace(process, command=[*process.command, *options])


def _publisher(env: Mapping[str, str]) -> Process:
    return Process("publisher", [processes.PYTHON, "-m", "tests.chaos.publisher"], env=env, cwd=REPOSITORY)


def ask(query: str, *parameters: Any) -> Any:
    """The one value that a query yields."""
    return ask_all(query, *parameters)[0][0]


def ask_all(query: str, *parameters: Any) -> list[Any]:
    """Rows, from a database that may be away for a while: on a connection of its own for each question."""
    deadline = time.monotonic() + POSTGRES_AWAY_SECONDS
    while True:
        try:
            with psycopg.connect(conninfo(), autocommit=True) as connection:
                return connection.execute(query.encode(), parameters or None).fetchall()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)

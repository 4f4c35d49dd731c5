"""The processes that are killed, each with all its children, and the sandbox that judges."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from copilot_project.embedded.process import die_with_parent
from copilot_project.sandbox.config import DEFAULT_TOKEN
from tests.chaos.services import REPOSITORY

IN_FLIGHT = 8


class Killable:
    """A process in a group of its own, which does not outlive us; its output is appended to `log`.

    Arguments of Python, or a program by its whole path.
    """

    def __init__(self, arguments: list[str], log: Path, **env: str) -> None:
        self.arguments, self.log = arguments, log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                arguments if arguments[0].startswith("/") else [sys.executable, *arguments],
                cwd=REPOSITORY,
                env=os.environ | env,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509  (one thread forks)
                stdout=output,
                stderr=output,
            )

    def __str__(self) -> str:
        return " ".join(self.arguments[:4])

    def lives(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL to the process and its children; returns when it is gone."""
        if self.lives():
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(arguments: list[str], log: Path, **env: str) -> Iterator[Killable]:
    process = Killable(arguments, log, **env)
    try:
        yield process
    finally:
        process.kill()


def start_worker(state: Path, url: str, queues: str) -> Any:
    command = ["-m", "celery", "-A", "copilot_project", "worker", "-Q", queues, "-c", "2"]
    market = {"EXCHANGE_API_URL": f"{url}/binance", "MARKET_PROVIDERS": "binance"}
    return running([*command, "--without-mingle", "-l", "INFO"], state / "worker.log", **_bot(url), **market)


def start_beat(state: Path, sweep_seconds: int) -> Any:
    command = ["-m", "celery", "-A", "tests.chaos.beat", "beat", "--pidfile=", "-l", "INFO"]
    return running(command, state / "beat.log", CHAOS_SWEEP_SECONDS=str(sweep_seconds))


def _bot(url: str) -> dict[str, str]:
    return {"TELEGRAM_BOT_TOKEN": DEFAULT_TOKEN, "TELEGRAM_API_URL": url}


class Sandbox:
    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, body: dict[str, Any]) -> None:
        httpx.post(f"{self.url}/_sandbox{path}", json=body, timeout=10).raise_for_status()

    def bot(self, method: str) -> Any:
        """The result of a call of the Bot API."""
        answer = httpx.post(f"{self.url}/bot{DEFAULT_TOKEN}/{method}", timeout=30).raise_for_status()
        return answer.json()["result"]

    def journal(self) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/_sandbox/journal", timeout=120).json()
        records: list[dict[str, Any]] = answer["records"]
        return records


@contextmanager
def start_sandbox(state: Path) -> Iterator[Sandbox]:
    command = [sys.executable, "-m", "copilot_project.sandbox", "--port", "0", "--no-limits", "--shift", "0"]
    command += ["--state", str(state / "sandbox"), "--token", DEFAULT_TOKEN]
    with (state / "sandbox.log").open("ab") as errors:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509  (one thread forks)
        )
    with process:
        try:
            ready = next(line for line in process.stdout or () if line.startswith("ready "))
            yield Sandbox(ready.split()[1])
        finally:
            process.kill()

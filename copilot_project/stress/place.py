"""A database, a sandbox and a sender of the test's own; nothing that runs elsewhere is touched."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from copilot_project import processes
from copilot_project.celery import app
from copilot_project.config import SANDBOX_BOT_TOKEN
from copilot_project.embedded import Postgres, Redis, checks, database_url, redis_url
from copilot_project.embedded.process import Process
from copilot_project.embedded.state import make_passable, own_folder
from copilot_project.settings import config
from notifications.models import SenderLease

START_SECONDS = 60.0


class StressError(Exception):
    """The test cannot run, or a process of its own left; one line that says why."""


@dataclass(frozen=True)
class Place:
    """`folder` holds the logs and the sandbox's journal; `env` leads a child to the test's database."""

    folder: Path
    env: dict[str, str]

    def journal(self) -> list[dict[str, Any]]:
        """What the sandbox accepted, in order, as it stands on disk."""
        lines = (self.folder / "sandbox" / "telegram.jsonl").read_bytes().splitlines()
        return [json.loads(line) for line in lines]


@contextmanager
def place() -> Iterator[Place]:
    """An empty, migrated database on the server of DATABASE_URL, or on one that is started for it.

    Django's connection leads there until the end, when all of it is removed. Raises EmbeddedError.
    """
    folder = own_folder(settings.STATE_DIR / "stress")
    make_passable(folder)
    server = None if config.database_url else Postgres(folder)
    try:
        if server:
            server.start()
            connection.settings_dict.update(dj_database_url.parse(database_url(folder)))
        url = config.database_url or database_url(folder)
        checks.refuse_unreachable_database(url)
        with _database(f"copilot_stress_{folder.name}") as name:
            there = urlsplit(url)._replace(path=f"/{name}").geturl()
            own = {"COPILOT_STATE_DIR": str(folder), "DATABASE_URL": there, "REDIS_URL": redis_url(folder)}
            with broker(folder):
                yield Place(folder, processes.environment(config.web_port) | own)
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def broker(folder: Path) -> Iterator[None]:
    """A Redis that takes this process's wake-ups; nobody else's workers may hear of its signals."""
    redis = Redis(folder)
    redis.start()
    app.conf.broker_url = redis_url(folder).replace("unix://", "redis+socket://")
    try:
        yield
    finally:
        redis.stop()


@contextmanager
def _database(name: str) -> Iterator[str]:
    """Django's own way to a database beside the configured one: that of its test runner."""
    live = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = name
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield name
    finally:
        connection.creation.destroy_test_db(live, verbosity=0)


@contextmanager
def sandbox(at: Place, *options: str) -> Iterator[str]:
    """The stand-in for Telegram; the value is its URL."""
    port = checks.free_port()
    told = processes.sandbox(at.env, port)
    process = replace(
        told,
        command=[
            *told.command,
            "--state",
            str(at.folder / "sandbox"),
            "--token",
            SANDBOX_BOT_TOKEN,
            *options,
        ],
    )
    with _running(at, process) as child:
        _wait(lambda: checks.answers(port), child)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def sender(at: Place, url: str, *options: str) -> Iterator[Callable[[], None]]:
    """The real sender, leading, sending to that URL; the value raises StressError once the process has gone."""
    bot = {"TELEGRAM_BOT_TOKEN": SANDBOX_BOT_TOKEN, "TELEGRAM_API_URL": url}
    told = processes.sender(at.env | bot)
    process = replace(told, command=[*told.command, "--no-metrics", *options])
    with _running(at, process) as child:
        _wait(SenderLease.objects.filter(lapses_at__gt=Now()).exists, child)
        yield lambda: _refuse_end(child)


class _Child:
    def __init__(self, process: Process, log: Path) -> None:
        self.name, self.log = process.name, log
        self.popen = replace(process, log=log).popen()


@contextmanager
def _running(at: Place, process: Process) -> Iterator[_Child]:
    child = _Child(process, at.folder / f"{process.name}.log")
    try:
        yield child
    finally:
        child.popen.terminate()
        try:
            child.popen.wait(process.grace_seconds)
        except subprocess.TimeoutExpired:
            child.popen.kill()
            child.popen.wait()


def _wait(condition: Callable[[], bool], child: _Child) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        _refuse_end(child)
        if time.monotonic() > deadline:
            raise StressError(f"the {child.name} did not begin within {START_SECONDS:.0f} s")
        time.sleep(0.05)


def _refuse_end(child: _Child) -> None:
    if (status := child.popen.poll()) is not None:
        said = child.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        raise StressError(f"the {child.name} left with status {status}: {said[-1]}")

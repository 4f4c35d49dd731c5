"""One throw-away Postgres and Redis per test process, and no way out of loopback.

Each process has servers of its own, so that sessions can run side by side;
`DATABASE_URL` and `REDIS_URL` win.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings
from pytest_socket import socket_allow_hosts

from copilot_project.embedded import Postgres, Redis, database_url, redis_url, state_dir
from copilot_project.embedded.state import CACHE_DATABASE, OWNER, own_folder, with_database
from tests.emptying import emptied_quickly
from tests.workers import Shared, share, shared

REPOSITORY = Path(__file__).resolve().parents[1]
LOOPBACK = ["127.0.0.1", "::1", "localhost"]
RESOLVED: dict[str, set[str]] = {}
# The same examples in every run, however slow the machine: a failure is a change's doing.
hypothesis_settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis_settings.load_profile("steady")
SERVERS = pytest.StashKey[list[Postgres | Redis]]()
FOLDER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SERVERS] = []
    folder = config.stash[FOLDER] = own_folder(state_dir() / "test")
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # pytest-xdist's controller runs no test; each of its workers has servers of its own
    os.environ["COPILOT_STATE_DIR"] = str(folder)  # a process that a test starts must not find the real one
    settings.STATE_DIR = folder
    # Passwords of tests guard nothing: one round. A process of the system reads them all the same.
    settings.PASSWORD_HASHERS = ["tests.passwords.OneRound", *settings.PASSWORD_HASHERS]
    if not os.environ.get("REDIS_URL"):
        config.stash[SERVERS].append(Redis(folder))
        _use_redis(redis_url(folder))
    if not os.environ.get("DATABASE_URL"):
        config.stash[SERVERS].append(Postgres(folder, volatile=True))
        os.environ["DATABASE_URL"] = database_url(folder)
        settings.DATABASES["default"] |= {"HOST": str(Postgres(folder).run), "USER": OWNER}


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    share(node, node.config.stash[FOLDER])


def pytest_sessionstart(session: pytest.Session) -> None:
    if among := shared(session.config):
        among.compile()


LONG = ("process", "browser", "slow")
# What a test asks for or starts through these fixtures.
MARKED_BY_FIXTURE = {
    "chromium": ("browser",),
    "db": ("database",),
    "live_server": ("database",),
    "process_env": ("process",),
    "redis_server": ("database",),
    "sandbox": ("process",),
    "telegram_process": ("process",),
    "transactional_db": ("database",),
}


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before pytest's own hook, which leaves out what `-m` excludes
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        parameters = (
            item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        for fixture in set(getattr(item, "fixturenames", ())) - set(parameters):
            for mark in MARKED_BY_FIXTURE.get(fixture, ()):
                item.add_marker(mark)
        if item.get_closest_marker("django_db") or _is_djangos(item):
            item.add_marker("database")
    yield
    if hasattr(config, "workerinput"):
        _order_files(items)


def _is_djangos(item: pytest.Item) -> bool:
    case = getattr(item, "cls", None)
    return isinstance(case, type) and issubclass(case, TransactionTestCase)


def _order_files(items: list[pytest.Item]) -> None:
    """First the engines', so that processes find compiled what they need; last short ones: all workers end at once."""
    marked = {item.path for item in items if any(item.get_closest_marker(mark) for mark in LONG)}
    items.sort(key=lambda item: 0 if "engine" in item.path.parts else 1 if item.path in marked else 2)


def pytest_unconfigure(config: pytest.Config) -> None:
    for server in config.stash[SERVERS]:
        server.stop()
    if FOLDER in config.stash:
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


def _use_redis(url: str) -> None:
    broker = url.replace("unix://", "redis+socket://")
    os.environ["REDIS_URL"] = settings.REDIS_URL = url
    settings.CACHE_URL = settings.CACHES["default"]["LOCATION"] = with_database(url, CACHE_DATABASE)
    settings.CELERY_BROKER_URL = broker
    if celery := sys.modules.get("copilot_project.celery"):
        celery.app.conf.broker_url = broker


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> None:
    """Started with the first test that asks for it or for the database; engine tests wait for neither."""
    for server in request.config.stash[SERVERS]:
        if isinstance(server, Redis):
            server.start()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Postgres | None:
    """This process's own, not started; None where DATABASE_URL names another."""
    return next((each for each in request.config.stash[SERVERS] if isinstance(each, Postgres)), None)


@pytest.fixture(scope="session")
def among_workers(request: pytest.FixtureRequest, postgres: Postgres | None) -> Shared | None:
    """Through whom the migrated database is shared; None where there is nobody to share it with."""
    return shared(request.config) if postgres else None


@pytest.fixture(scope="session")
def migrating(among_workers: Shared | None) -> Iterator[ExitStack]:
    with ExitStack() as alone:
        if among_workers:
            alone.enter_context(among_workers.alone("migrating"))
        yield alone


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest, among_workers: Shared | None) -> bool:
    return among_workers is not None or bool(request.config.getvalue("reuse_db"))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    redis_server: None, postgres: Postgres | None, among_workers: Shared | None, migrating: ExitStack
) -> None:
    """pytest-django asks for this before it makes the test database."""
    if postgres and among_workers:
        among_workers.take_database(postgres)
    elif postgres:
        postgres.start()


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, postgres: Postgres | None, among_workers: Shared | None, migrating: ExitStack
) -> None:
    """After pytest-django's."""
    if postgres and among_workers:
        among_workers.give_database(postgres)
    migrating.close()


@pytest.fixture(scope="session", autouse=True)
def tables_emptied_quickly() -> Iterator[None]:
    """After a transactional test, despite the ledger's append-only triggers."""
    with emptied_quickly():
        yield


@pytest.fixture(autouse=True)
def loopback_only() -> None:
    """No test speaks to the outside world; pytest-socket lifts this after each test."""
    socket_allow_hosts(LOOPBACK, allow_unix_socket=True, resolution_cache=RESOLVED)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded candles and payloads beside the repository."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no recorded data: ../shared/data is absent")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser that Playwright drives."""
    program = shutil.which("chromium")
    if not program:
        pytest.skip("no browser: install Debian's package chromium")
    # Playwright's synchronous API runs an event loop, in which Django refuses the database otherwise.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    return Path(program)


@pytest.fixture
def process_env(transactional_db: None) -> dict[str, str]:
    """The environment of a process that shall see the test's database and Redis."""
    name = connections["default"].settings_dict["NAME"]
    url = re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", os.environ["DATABASE_URL"], count=1)
    return os.environ | {"DATABASE_URL": url, "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[str]:
    """The sandbox as its own process; the value is its URL, e.g. `http://127.0.0.1:40123`."""
    command = [
        sys.executable,
        "-m",
        "copilot_project.sandbox",
        "--port",
        "0",
        "--state",
        str(tmp_path / "sandbox"),
        "--shift",
        "0",
    ]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _announced_url(process)
        finally:
            process.terminate()


def _announced_url(process: "subprocess.Popen[Any]") -> str:
    for line in process.stdout or ():
        if line.startswith("ready "):
            return line.split()[1]
    raise RuntimeError(f"the sandbox left with status {process.wait()} before it was ready")

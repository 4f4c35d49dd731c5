"""Each process of docker-compose.yml starts by its own command, answers its own health check, and stops cleanly.

All run at once, against a database that `migrate` made: only so is the web process ready. Ports and the
folder of metrics are replaced, nothing else; what is outside is the sandbox. The broker is the test's own:
in the session's one wait wake-ups of other tests, about rows that this database does not have.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import psycopg
import pytest
import yaml
from django.conf import settings

from copilot_project.embedded import Redis, redis_url
from copilot_project.sandbox.config import DEFAULT_TOKEN
from tests.ports import free_port

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())[
    "services"
]
LONG_LIVED = ["web", "worker", "training-worker", "beat", "sender"]
DATABASE = "copilot_entry_points"
METRICS_TOKEN = "token-of-a-test"
START_SECONDS = 240.0
# The test's own: a development process with the sandbox outside and ports of its own.
REPLACED = {
    "COPILOT_ENV",
    "SANDBOX",
    "ALLOWED_HOSTS",
    "WORKER_METRICS_PORT",
    "SENDER_METRICS_PORT",
    "SENDER_METRICS_HOST",
    "WORKER_METRICS_HOST",
}


@dataclass
class System:
    """Runs commands of docker-compose.yml on this machine."""

    folder: Path
    base: dict[str, str]
    ports: dict[str, int]

    def environment(self, service: str) -> dict[str, str]:
        composed = {
            key: value
            for key, value in SERVICES[service]["environment"].items()
            if key not in REPLACED and not value.startswith("${")
        }
        if "PROMETHEUS_MULTIPROC_DIR" in composed:
            metrics = self.folder / f"metrics-{service}"
            metrics.mkdir(exist_ok=True)
            composed["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        return self.base | composed | {"WORKER_METRICS_PORT": str(self.ports.get(service, 0) or 1)}

    def localised(self, service: str, words: list[str]) -> list[str]:
        container = {"web": "8000", "training-worker": "9808"}.get(service)
        if container is None:
            return words
        here = str(self.ports[service])
        return [re.sub(rf"\b{container}\b", here, word).replace("0.0.0.0", "127.0.0.1") for word in words]

    def start(self, service: str) -> "subprocess.Popen[bytes]":
        with self.log(service).open("wb") as log:
            return subprocess.Popen(
                self.localised(service, SERVICES[service]["command"]),
                cwd=REPOSITORY,
                env=self.environment(service),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def check_health(self, service: str) -> subprocess.CompletedProcess[str]:
        kind, *command = SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        return subprocess.run(
            self.localised(service, command),
            cwd=REPOSITORY,
            env=self.environment(service),
            capture_output=True,
            text=True,
            check=False,
        )

    def log(self, service: str) -> Path:
        return self.folder / f"{service}.log"


@pytest.fixture
def broker() -> Iterator[str]:
    folder = settings.STATE_DIR / f"entry-points-{os.urandom(4).hex()}"
    server = Redis(folder)
    server.start()
    yield redis_url(folder)
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def system(process_env: dict[str, str], sandbox: str, broker: str, tmp_path: Path) -> Iterator[System]:
    server = process_env["DATABASE_URL"]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    ports = {service: free_port() for service in ("web", "worker", "training-worker", "sender")}
    base = process_env | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DATABASE_URL": re.sub(r"/[^/?]*(\?|$)", rf"/{DATABASE}\1", server, count=1),
        "REDIS_URL": broker,
        "SANDBOX_PORT": str(urlsplit(sandbox).port),
        "TELEGRAM_API_URL": sandbox,
        "TELEGRAM_BOT_TOKEN": DEFAULT_TOKEN,
        "SENDER_METRICS_PORT": str(ports["sender"]),
        "METRICS_TOKEN": METRICS_TOKEN,
    }
    yield System(tmp_path, base, ports)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@pytest.fixture
def processes() -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """What the test starts, by name; nothing of it outlives the test."""
    started: dict[str, subprocess.Popen[bytes]] = {}
    yield started
    for process in started.values():
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_until_healthy(service: str, processes: dict[str, "subprocess.Popen[bytes]"], system: System) -> None:
    deadline = time.monotonic() + START_SECONDS
    while (check := system.check_health(service)).returncode != 0:
        for name, process in processes.items():
            assert process.poll() is None, f"{name} left:\n{system.log(name).read_text()}"
        if time.monotonic() > deadline:
            said = readiness(system.ports["web"]) if service == "web" else check.stderr[-500:]
            pytest.fail(f"{service} is not healthy: {said}\n{system.log(service).read_text()[-2000:]}")
        time.sleep(0.5)


def readiness(port: int) -> str:
    """What the web process itself says of its checks."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as answer:
            return str(answer.read(), "utf-8")
    except HTTPError as refusal:
        return str(refusal.read(), "utf-8")
    except OSError as error:
        return str(error)


def wait_until_logged(word: str, service: str, system: System) -> None:
    deadline = time.monotonic() + START_SECONDS
    while word not in (text := system.log(service).read_text()):
        assert time.monotonic() < deadline, f"{service} never said {word}:\n{text}"
        time.sleep(0.5)


def scraped(port: int) -> str:
    request = Request(
        f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}
    )
    with urlopen(request, timeout=60) as answer:
        return str(answer.read(), "utf-8")


@pytest.mark.timeout(1200)
def test_all_processes_start_become_healthy_are_scraped_and_stop_cleanly(
    system: System, processes: dict[str, "subprocess.Popen[bytes]"]
) -> None:
    migration = system.start("migrate")
    assert migration.wait(timeout=START_SECONDS) == 0, system.log("migrate").read_text()
    for service in LONG_LIVED:
        assert system.check_health(service).returncode != 0, f"{service} never ran and passes for healthy"

    processes.update({service: system.start(service) for service in LONG_LIVED})
    # The order matters for time only: the web process is ready when the others are alive.
    for service in ("beat", "worker", "sender", "training-worker", "web"):
        wait_until_healthy(service, processes, system)
    # Its metrics answer while it is still starting, and a stop then is no stop of a running worker.
    wait_until_logged("ready.", "training-worker", system)

    assert "copilot_heartbeat_age_seconds" in scraped(system.ports["web"])
    assert "copilot_deliveries_total" in scraped(system.ports["sender"])
    for service in ("worker", "training-worker"):
        scraped(system.ports[service])

    for process in processes.values():
        process.send_signal(signal.SIGTERM)
    grace = {service: int(SERVICES[service]["stop_grace_period"].removesuffix("s")) for service in processes}
    codes = {service: process.wait(timeout=grace[service]) for service, process in processes.items()}
    logs = {service: system.log(service).read_text() for service in processes}
    assert codes == dict.fromkeys(LONG_LIVED, 0), "\n".join(logs.values())
    for service, text in logs.items():
        before, traceback, after = text.partition("Traceback")
        if traceback:
            pytest.fail(f"{service}:\n{before[-2000:]}{traceback}{after[:6000]}")

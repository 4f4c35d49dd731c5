"""docker-compose.yml: readable by compose, hardened, closed to the outside, and complete."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from copilot_project.embedded.postgres import STEADY
from copilot_project.processes import STATEMENTS_END

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("copilot:")]
CELERY = [name for name in OURS if "-Q" in SERVICES[name]["command"]]


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """A folder as an operator has it: the compose file, and .env as the example has it."""
    shutil.copy(REPOSITORY / "docker-compose.yml", tmp_path)
    shutil.copy(REPOSITORY / ".env.example", tmp_path / ".env")
    return tmp_path


def composed(folder: Path) -> subprocess.CompletedProcess[str]:
    if not shutil.which("docker-compose"):
        pytest.skip("no docker-compose: install Debian's package docker-compose")
    return subprocess.run(
        ["docker-compose", "config"],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_compose_reads_it(deployment: Path) -> None:
    process = composed(deployment)
    assert process.returncode == 0, process.stderr
    assert yaml.safe_load(process.stdout)["services"].keys() == SERVICES.keys()


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "METRICS_TOKEN", "ALLOWED_HOSTS"])
def test_compose_refuses_a_missing_value_that_it_hands_on(name: str, deployment: Path) -> None:
    lines = (deployment / ".env").read_text().splitlines()
    (deployment / ".env").write_text("\n".join(line for line in lines if not line.startswith(f"{name}=")))
    process = composed(deployment)
    assert process.returncode != 0
    assert f"{name}" in process.stderr
    assert "see .env.example" in process.stderr


def test_every_process_of_production_is_there() -> None:
    processes = {"migrate", "web", "worker", "training-worker", "beat", "sender"}
    assert set(OURS) == processes
    assert SERVICES.keys() - processes == {"postgres", "redis", "prometheus", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == ("no" if name == "migrate" else "always")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), "root, or whoever the image chooses"
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - OURS))
def test_foreign_image_is_pinned_to_a_patch_release(name: str) -> None:
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-bookworm)?$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"migrate"}))
def test_service_has_a_health_check_of_its_own(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert seconds(check["timeout"]) < seconds(check["interval"])


def test_health_checks_tell_the_processes_apart() -> None:
    checks = [str(SERVICES[name]["healthcheck"]["test"]) for name in SERVICES if name != "migrate"]
    assert len(set(checks)) == len(checks)


def test_only_web_and_grafana_are_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"web", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_what_needs_no_outside_cannot_reach_it() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    reach_out = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert reach_out == {"web", "worker", "sender", "grafana"}
    assert all("inside" in service["networks"] for service in SERVICES.values())


def test_no_secret_is_written_into_the_file() -> None:
    for name, service in SERVICES.items():
        for key, value in service["environment"].items():
            if re.search(r"PASSWORD|TOKEN|SECRET|_URL$", key):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?see \.env\.example\}", value), f"{name}: {key}"


@pytest.mark.parametrize("name", OURS)
def test_our_processes_run_in_production_with_one_thread_of_openmp(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert (environment["COPILOT_ENV"], environment["SANDBOX"], environment["OMP_NUM_THREADS"]) == (
        "production",
        "false",
        "1",
    )


@pytest.mark.parametrize("name", OURS)
def test_statements_end_except_those_that_may_take_their_time(name: str) -> None:
    may_take_time = name in {"migrate", "training-worker"}
    assert SERVICES[name]["environment"]["PGOPTIONS"] == ("" if may_take_time else STATEMENTS_END)


@pytest.mark.parametrize("name", CELERY)
def test_worker_gets_longer_to_stop_than_a_task_may_take(name: str) -> None:
    assert seconds(SERVICES[name]["stop_grace_period"]) > settings.CELERY_TASK_TIME_LIMIT
    assert seconds(SERVICES[name]["stop_grace_period"]) > settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT


def test_each_queue_that_tasks_are_routed_to_has_a_worker() -> None:
    served = [queue for name in CELERY for queue in _queues(SERVICES[name]["command"])]
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    assert sorted(served) == sorted(routed | {"celery"})


def _queues(command: list[str]) -> list[str]:
    return command[command.index("-Q") + 1].split(",")


def test_everything_waits_for_the_migration_and_the_migration_for_postgres() -> None:
    for name in OURS:
        if name != "migrate":
            assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_redis_forgets_nothing_and_asks_for_the_password_of_the_url(tmp_path: Path) -> None:
    """The command's shell part runs for real; a stand-in for redis-server writes down what it was given."""
    server = tmp_path / "redis-server"
    server.write_text('#!/bin/sh\nprintf "%s\\n" "$*"\ncat\n')
    server.chmod(0o755)
    given = _run(SERVICES["redis"]["command"], tmp_path, REDIS_URL="redis://:p4ss@redis:6379/0")
    arguments, *lines = given.splitlines()
    assert arguments == "-", "the password is no argument"
    assert {"requirepass p4ss", "appendonly yes", "maxmemory-policy noeviction", "dir /data"} <= set(lines)


def test_postgres_is_initialised_with_the_password_of_the_url(tmp_path: Path) -> None:
    entrypoint = tmp_path / "docker-entrypoint.sh"
    entrypoint.write_text('#!/bin/sh\nprintf "%s %s" "$POSTGRES_PASSWORD" "$*"\n')
    entrypoint.chmod(0o755)
    url = "postgresql://copilot:p4ss@postgres:5432/copilot"
    given = _run(SERVICES["postgres"]["command"], tmp_path, DATABASE_URL=url)
    assert given == " ".join(["p4ss postgres", *(f"-c {setting}" for setting in STEADY)])
    environment = SERVICES["postgres"]["environment"]
    assert (environment["POSTGRES_USER"], environment["POSTGRES_DB"]) == ("copilot", "copilot")


def _run(command: list[str], folder: Path, **environment: str) -> str:
    unescaped = [part.replace("$$", "$") for part in command]
    return subprocess.run(
        unescaped,
        env=environment | {"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout

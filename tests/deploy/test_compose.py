"""docker-compose.yml: readable by compose, hardened, closed to the outside, and complete."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from django.conf import settings
from kombu import Connection
from redis.exceptions import NoPermissionError

from copilot_project.config import Configuration
from copilot_project.embedded import binaries
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


@pytest.mark.parametrize(
    "name",
    [
        "DATABASE_URL",
        "DATABASE_OWNER_URL",
        "EXECUTOR_DATABASE_URL",
        "REDIS_URL",
        "CACHE_URL",
        "SECRET_KEY",
        "METRICS_TOKEN",
        "GRAFANA_PASSWORD",
        "ALLOWED_HOSTS",
    ],
)
def test_compose_refuses_a_missing_value_that_it_hands_on(name: str, deployment: Path) -> None:
    lines = (deployment / ".env").read_text().splitlines()
    (deployment / ".env").write_text("\n".join(line for line in lines if not line.startswith(f"{name}=")))
    process = composed(deployment)
    assert process.returncode != 0
    assert f"{name}" in process.stderr
    assert "see .env.example" in process.stderr


def test_every_process_of_production_is_there() -> None:
    processes = {"migrate", "web", "worker", "training-worker", "beat", "sender", "executor"}
    assert set(OURS) == processes
    assert SERVICES.keys() - processes == {
        *("postgres", "redis", "redis-cache", "prometheus", "alertmanager", "grafana")
    }


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
    assert reach_out == {"web", "worker", "sender", "alertmanager", "grafana"}
    assert all("inside" in service["networks"] for service in SERVICES.values())


def test_no_secret_is_written_into_the_file() -> None:
    for name, service in SERVICES.items():
        for key, value in service["environment"].items():
            if value and re.search(r"PASSWORD|TOKEN|SECRET|_URL$", key):
                assert re.fullmatch(r"\$\{[A-Z_]+:(\?see \.env\.example|-)\}", value), f"{name}: {key}"


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


def test_passwords_of_redis_are_in_no_command_line(tmp_path: Path) -> None:
    """The shell parts run for real; stand-ins for the programs write down what they were given."""
    for program in ("redis-server", "redis-cli"):
        stand_in = tmp_path / program
        stand_in.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/arguments\necho OK\n')
        stand_in.chmod(0o755)
    for name, variable in (("redis", "REDIS_URL"), ("redis-cache", "CACHE_URL")):
        url = {variable: f"redis://user:p4ss@{name}:6379/0"}
        _run(SERVICES[name]["command"], tmp_path, **url)
        kind, script = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        _run(["sh", "-c", script], tmp_path, **url)  # checks the status
    given = (tmp_path / "arguments").read_text()
    assert given.splitlines()[0] == "-"
    assert "--user copilot set" in given
    assert "p4ss" not in given


@pytest.fixture(params=["redis", "redis-cache"])
def redis_of_compose(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The server as compose starts it, but for its folder and its address; name and URL."""
    name = request.param
    variable, user = {"redis": ("REDIS_URL", "copilot"), "redis-cache": ("CACHE_URL", "cache")}[name]
    socket = tmp_path / "sock"
    command = (
        SERVICES[name]["command"][-1]
        .replace("$$", "$")
        .replace("exec redis-server", str(binaries.redis_server()))
    )
    command = re.sub(r"dir /\w+", f"dir {tmp_path}\nport 0\nunixsocket {socket}", command)
    process = subprocess.Popen(
        ["sh", "-c", f"exec 3>&1; {command}"],
        env={variable: f"redis://{user}:p4ss@redis:6379/0", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not socket.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield name, f"unix://{user}:p4ss@{socket}"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_users_of_redis_may_what_they_need(redis_of_compose: tuple[str, str]) -> None:
    name, url = redis_of_compose
    with (
        pytest.raises(redis.AuthenticationError),
        redis.Redis.from_url(url.replace("p4ss", "other")) as stranger,
    ):
        stranger.ping()
    with (
        redis.Redis.from_url(re.sub(r"//.*@", "//", url)) as nobody,
        pytest.raises(redis.AuthenticationError),
    ):
        nobody.get("cache:x")
    with redis.Redis.from_url(url) as client:
        assert client.set("cache:x", 1, ex=60)
        assert client.incr("cache:x") == 2
        for forbidden in ("FLUSHALL", "CONFIG GET *", "KEYS *", "SHUTDOWN NOSAVE", "ACL LIST"):
            with pytest.raises(NoPermissionError):
                client.execute_command(*forbidden.split())
        if name == "redis":
            assert kombu_speaks(url)
        else:
            with pytest.raises(NoPermissionError):
                client.get("celery")


def kombu_speaks(url: str) -> bool:
    with Connection(url.replace("unix://", "redis+socket://")) as connection:
        queue = connection.SimpleQueue("signals")
        queue.put({"task": 1})
        message = queue.get(timeout=10)
        message.ack()
        queue.close()
        return bool(message.payload == {"task": 1})


def test_the_broker_forgets_nothing_and_the_cache_may() -> None:
    broker, cache = SERVICES["redis"]["command"][-1], SERVICES["redis-cache"]["command"][-1]
    assert {"appendonly yes", "maxmemory-policy noeviction", "dir /data"} <= _lines(broker)
    assert {"appendonly no", "maxmemory-policy allkeys-lru"} <= _lines(cache)


def _lines(script: str) -> set[str]:
    return {line.strip() for line in script.splitlines()}


@pytest.mark.parametrize("name", OURS)
def test_container_is_given_what_its_process_asks_for(name: str, tmp_path: Path) -> None:
    """It starts with exactly its own settings."""
    process = subprocess.run(
        [sys.executable, "-c", "import copilot_project.settings as s; print(s.PRODUCTION)"],
        cwd=tmp_path,
        env=_filled(name) | {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stdout == "True\n", process.stderr


def _filled(name: str) -> dict[str, str]:
    """Its environment, with values as an operator would fill them in."""
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    written = SERVICES[name]["environment"]
    filled = {}
    for key, value in written.items():
        reference = re.match(r"\$\{([A-Z_]+):", value)
        given = example[reference[1]] + value.partition("}")[2] if reference else value
        filled[key] = re.sub(r"<.*?>|your-", "9f1c77aa82ee31dd" * 4, given).replace(
            "example.org", "trader.test"
        )
    return filled


# What none but these may see.
SECRETS = {
    "SECRET_KEY": {"web"},
    "LEDGER_SIGNING_KEY": {"worker"},
    "GOOGLE_CLIENT_SECRET": {"web"},
    "METRICS_TOKEN": {"web", "prometheus"},
    "GRAFANA_PASSWORD": {"grafana"},
    "ALERT_SMTP_PASSWORD": {"alertmanager"},
    "TELEGRAM_BOT_TOKEN": {"worker", "sender", "alertmanager"},
    "TELEGRAM_WEBHOOK_SECRET": {"web", "worker"},
    "DATABASE_OWNER_URL": {"migrate", "postgres"},
    "DATABASE_URL": set(OURS) - {"executor"},
    "EXECUTOR_DATABASE_URL": {"executor", "migrate"},
    "REDIS_URL": {"web", "worker", "training-worker", "beat", "redis"},
    "BROKER_URL": {"web", "worker", "training-worker", "beat"},
    "CACHE_URL": {"web", "redis-cache"},
    # By it each asks Vault, where there is one; VAULT_PATH and a policy may narrow what it is told.
    "EXCHANGE_KEY_SECRETS": {"web", "executor"},
    "XAI_API_KEY": {"worker"},
    "FINNHUB_API_KEY": {"worker"},
    "VAULT_TOKEN": set(OURS),
    "VAULT_SECRET_ID": set(OURS),
}


@pytest.mark.parametrize("secret", SECRETS)
def test_secret_is_given_to_those_who_need_it(secret: str) -> None:
    holders = {name for name, service in SERVICES.items() if f"${{{secret}:" in str(service["environment"])}
    assert holders == SECRETS[secret]
    assert not [name for name, service in SERVICES.items() if "env_file" in service]


def test_every_setting_reaches_some_container() -> None:
    written = str([service["environment"] for service in SERVICES.values()])
    unused = {"SANDBOX_PORT", "GOOGLE_ISSUER_URL", "COPILOT_CRASH_AT", "WEB_PORT"}
    for field in Configuration.model_fields:
        name = field.upper()
        assert name in unused or f"'{name}':" in written, f"no container is given {name}"


def test_postgres_is_initialised_with_the_password_of_the_url(tmp_path: Path) -> None:
    entrypoint = tmp_path / "docker-entrypoint.sh"
    entrypoint.write_text('#!/bin/sh\nprintf "%s %s" "$POSTGRES_PASSWORD" "$*"\n')
    entrypoint.chmod(0o755)
    url = "postgresql://copilot:p4ss@postgres:5432/copilot"
    given = _run(SERVICES["postgres"]["command"], tmp_path, DATABASE_OWNER_URL=url)
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


def test_executors_network_is_let_to_named_hosts_only() -> None:
    assert SERVICES["executor"]["networks"] == ["inside", "exchanges"]
    bridge = COMPOSE["networks"]["exchanges"]["driver_opts"]["com.docker.network.bridge.name"]
    script = REPOSITORY / "deploy/limit_executor.sh"
    environment = {"PRINT": "yes", "PATH": "/usr/bin:/bin"}
    told = subprocess.check_output([str(script), "localhost"], env=environment, text=True).splitlines()
    assert "iptables -A COPILOT-EXCHANGES -p tcp --dport 443 -d 127.0.0.1 -j RETURN" in told
    assert told[-3] == "iptables -A COPILOT-EXCHANGES -j REJECT"
    assert told[-1] == f"iptables -I DOCKER-USER -i {bridge} -j COPILOT-EXCHANGES"

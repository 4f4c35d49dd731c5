"""deploy.sh in a folder of its own, with a stand-in for compose that writes down what it was asked."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.copilot_project.vault_server import ROLE_ID, SECRET_ID, VaultServer

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE = """#!/bin/sh
printf '%s\\n' "$*" >> "$JOURNAL"
env >> "$JOURNAL.environment"
case "$*" in $FAILING) exit 1 ;; esac
"""


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    (tmp_path / "deploy").mkdir()
    for name in ("deploy.sh", "vault_environment.py"):
        shutil.copy(REPOSITORY / "deploy" / name, tmp_path / "deploy")
    example = (REPOSITORY / ".env.example").read_text()
    numbers = count()
    filled = re.sub(
        r"<.*?>|your-webhook-secret", lambda _: f"filled0in0with0something0long{next(numbers)}", example
    )
    (tmp_path / ".env").write_text(filled.replace("example.org", "trader.test"))
    (tmp_path / ".env").chmod(0o600)
    compose = tmp_path / "compose"
    compose.write_text(COMPOSE)
    compose.chmod(0o755)
    return tmp_path


def deploy(folder: Path, *, failing: str = "nothing") -> tuple[subprocess.CompletedProcess[str], list[str]]:
    journal = folder / "journal"
    process = subprocess.run(
        [str(folder / "deploy/deploy.sh")],
        cwd="/",
        env={
            "PATH": "/usr/bin:/bin",
            "COMPOSE": str(folder / "compose"),
            "JOURNAL": str(journal),
            "FAILING": failing,
            "READY_SECONDS": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return process, journal.read_text().splitlines() if journal.exists() else []


def test_it_checks_builds_migrates_and_starts_in_this_order(installation: Path) -> None:
    process, asked = deploy(installation)
    assert process.returncode == 0, process.stderr
    assert [line.split(" -")[0] for line in asked] == [
        "config",
        "build",
        *["run"] * 7,
        "up",
        "exec",
    ]
    check = "python manage.py check --deploy --fail-level ERROR"
    ours = ["migrate", "web", "worker", "training-worker", "beat", "sender"]
    assert asked[2:8] == [f"run --rm --no-deps {service} {check}" for service in ours]
    assert asked[8] == "run --rm migrate"
    assert "/readyz" in asked[10]
    assert process.stdout.startswith("deploy: ready.")


@pytest.mark.parametrize(
    ("failing", "last", "advice"),
    [
        ("config", "config", "do not fit together"),
        ("build", "build", "the image was not built; what runs, still runs"),
        (
            "run * check *",
            "run --rm --no-deps migrate python manage.py check",
            "Correct .env and deploy again",
        ),
        (
            "run --rm migrate",
            "run --rm migrate",
            "the migration failed; what runs, still runs the old version",
        ),
        ("up *", "up -d", "logs --tail 50"),
        ("exec *", "exec -T web", "git checkout <tag> && deploy/deploy.sh"),
    ],
)
def test_a_failing_step_is_the_last_one_and_says_what_to_do(
    failing: str, last: str, advice: str, installation: Path
) -> None:
    process, asked = deploy(installation, failing=failing)
    assert process.returncode == 1
    assert asked[-1].startswith(last)
    assert advice in process.stderr
    assert "ready." not in process.stdout


def test_without_an_environment_it_says_where_to_get_one(installation: Path) -> None:
    (installation / ".env").unlink()
    process, asked = deploy(installation)
    assert (process.returncode, asked) == (1, [])
    assert "Copy .env.example to .env" in process.stderr


def test_an_environment_that_others_may_read_is_refused(installation: Path) -> None:
    (installation / ".env").chmod(0o644)
    process, asked = deploy(installation)
    assert (process.returncode, asked) == (1, [])
    assert "chmod 600 .env" in process.stderr


def test_the_example_as_it_stands_is_refused_with_every_name(installation: Path) -> None:
    shutil.copy(REPOSITORY / ".env.example", installation / ".env")
    (installation / ".env").chmod(0o600)
    process, asked = deploy(installation)
    assert (process.returncode, asked) == (1, [])
    names = process.stderr.splitlines()[0].partition("in .env: ")[2].split()
    assert names == [
        "SECRET_KEY",
        "PUBLIC_URL",
        "ALLOWED_HOSTS",
        "DATABASE_URL",
        "EXECUTOR_DATABASE_URL",
        "DATABASE_OWNER_URL",
        "REDIS_URL",
        "CACHE_URL",
        "METRICS_TOKEN",
        "GRAFANA_PASSWORD",
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_WEBHOOK_SECRET",
        "LEDGER_SIGNING_KEY",
        "ADMIN_EMAILS",
        "GOOGLE_CLIENT_ID",
        "GOOGLE_CLIENT_SECRET",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GRAFANA_PASSWORD", "METRICS_TOKEN"),
        ("DATABASE_URL", "DATABASE_OWNER_URL"),
        ("DATABASE_URL", "EXECUTOR_DATABASE_URL"),
    ],
)
def test_two_addresses_have_two_keys(one: str, other: str, installation: Path) -> None:
    env = installation / ".env"
    text = env.read_text()
    (value,) = re.findall(rf"^{other}=(.*)", text, re.M)
    env.write_text(re.sub(rf"^{one}=.*", f"{one}={value}", text, flags=re.M))
    process, asked = deploy(installation)
    assert (process.returncode, asked) == (1, [])
    assert f"{one} is {other}" in process.stderr
    assert value not in process.stderr


@pytest.fixture
def vault(installation: Path) -> Iterator[VaultServer]:
    """Holds what `.env` held; `.env` says only where it is."""
    lines = (installation / ".env").read_text().splitlines()
    held = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=.", line))
    with VaultServer() as server:
        server.secrets["copilot"] = held | {"SECRET_KEY": "it's one with $HOME and `quotes`"}
        env = (
            f"VAULT_ADDR={server.url}\nVAULT_ROLE_ID={ROLE_ID}\nVAULT_SECRET_ID={SECRET_ID}\nWEB_PORT=8123\n"
        )
        (installation / ".env").write_text(env)
        yield server


def test_vault_alone_is_enough_and_env_wins_over_it(installation: Path, vault: VaultServer) -> None:
    process, asked = deploy(installation)
    assert process.returncode == 0, process.stderr
    assert asked[0] == "config"
    given = (installation / "journal.environment").read_text().splitlines()
    assert "SECRET_KEY=it's one with $HOME and `quotes`" in given
    assert f"GRAFANA_PASSWORD={vault.secrets['copilot']['GRAFANA_PASSWORD']}" in given
    assert "WEB_PORT=8123" not in given, "that stands in .env, which compose reads itself"
    assert "WEB_PORT=8000" not in given


def test_sealed_vault_stops_the_deployment_before_anything_is_changed(
    installation: Path, vault: VaultServer
) -> None:
    vault.sealed = True
    process, asked = deploy(installation)
    assert (process.returncode, asked) == (1, [])
    assert "is sealed" in process.stderr
    assert "what runs, still runs" in process.stderr


def test_shellcheck_finds_nothing() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck: install Debian's package shellcheck")
    process = subprocess.run(
        ["shellcheck", "deploy/deploy.sh"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout

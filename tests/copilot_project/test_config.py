"""Production refuses to start without real secrets, says which one is wrong, and prints none of them."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from copilot_project import config
from copilot_project.production import NEEDS

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "COPILOT_ENV": "production",
    "SECRET_KEY": "k3y-9f1c" * 8,
    "PUBLIC_URL": "https://copilot.test",
    "ALLOWED_HOSTS": "copilot.test",
    "DATABASE_URL": "postgresql://copilot:d4ta-77aa@postgres:5432/copilot",
    "REDIS_URL": "redis://:r3dis-55bb@redis:6379/0",
    "CACHE_URL": "redis://cache:c4che-66cc@redis-cache:6379/0",
    "METRICS_TOKEN": "m3tric-31dd" * 3,
    "TELEGRAM_BOT_TOKEN": "987654321:b0t-AAFfkd93kf02kfls0DKSLfk2",
    "TELEGRAM_WEBHOOK_SECRET": "w3bhook-82ee-1122",
    "ADMIN_EMAILS": "trader@copilot.test",
    "GOOGLE_CLIENT_ID": "1234.apps.googleusercontent.com",
    "GOOGLE_CLIENT_SECRET": "g00gle-45ff",
}
SECRETS = [
    "SECRET_KEY",
    "METRICS_TOKEN",
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_WEBHOOK_SECRET",
    "GOOGLE_CLIENT_SECRET",
]
SERVICES = ["DATABASE_URL", "REDIS_URL", "CACHE_URL"]
PLACEHOLDERS = [
    "change-me",
    "changeme123",
    "your-token-here",
    "<from @BotFather>",
    "placeholder",
    "xxxxxxxx",
    "secret",
]


def start(environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Load the settings as every process does: in a fresh process that sees nothing but `environment`."""
    return subprocess.run(
        [sys.executable, "-c", "import copilot_project.settings as s; print('started', s.PRODUCTION)"],
        check=False,
        cwd=folder,
        env=environment | {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def refusal(environment: dict[str, str], folder: Path) -> str:
    """What is said where a process must not start; no secret may be in it."""
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        contextlib.chdir(folder),
        pytest.raises(SystemExit) as stopped,
    ):
        config.load_configuration()
    printed = str(stopped.value)
    for name in (*SECRETS, *SERVICES):
        value = environment.get(name, "")
        assert value != PRODUCTION[name] or value not in printed, f"the value of {name} was printed"
    assert "see .env.example" in printed
    return printed


def test_complete_production_starts(tmp_path: Path) -> None:
    process = start(PRODUCTION, tmp_path)
    assert process.stdout == "started True\n", process.stderr


def test_development_starts_from_nothing(tmp_path: Path) -> None:
    process = start({}, tmp_path)
    assert process.stdout == "started False\n", process.stderr


def test_a_process_that_must_not_start_ends_with_words_instead_of_a_traceback(tmp_path: Path) -> None:
    environment = PRODUCTION | {"SECRET_KEY": "change-me"}
    process = start(environment, tmp_path)

    assert process.returncode == 1
    assert process.stderr.strip() == refusal(environment, tmp_path)


@pytest.mark.parametrize("name", [*SECRETS, *SERVICES])
def test_missing_secret_stops_production_and_is_named(name: str, tmp_path: Path) -> None:
    without = {key: value for key, value in PRODUCTION.items() if key != name}
    printed = refusal(without, tmp_path)
    assert printed.startswith(f"refusing to start in production: {name} is missing\n"), (
        "only what is wrong is named"
    )


@pytest.mark.parametrize("name", SECRETS)
def test_empty_secret_counts_as_missing(name: str, tmp_path: Path) -> None:
    assert re.search(rf"{name} is missing", refusal(PRODUCTION | {name: ""}, tmp_path))


def test_every_placeholder_of_every_secret_is_named_at_once(tmp_path: Path) -> None:
    printed = refusal(
        PRODUCTION | dict.fromkeys(set(SECRETS) - {"TELEGRAM_WEBHOOK_SECRET"}, "change-me"), tmp_path
    )
    for name in set(SECRETS) - {"TELEGRAM_WEBHOOK_SECRET"}:
        assert f"{name} is a placeholder" in printed


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_placeholder_stops_production(placeholder: str, tmp_path: Path) -> None:
    assert "SECRET_KEY is a placeholder" in refusal(PRODUCTION | {"SECRET_KEY": placeholder}, tmp_path)


@pytest.mark.parametrize("name", SERVICES)
def test_placeholder_password_of_a_service_stops_production(name: str, tmp_path: Path) -> None:
    scheme = "postgresql" if name == "DATABASE_URL" else "redis"
    printed = refusal(PRODUCTION | {name: f"{scheme}://copilot:change-me@{scheme}/0"}, tmp_path)
    assert f"{name} has a placeholder as its password" in printed
    assert "change-me" not in printed


def test_secrets_of_the_sandbox_are_placeholders_in_production(tmp_path: Path) -> None:
    sandbox = {
        "TELEGRAM_BOT_TOKEN": config.SANDBOX_BOT_TOKEN,
        "TELEGRAM_WEBHOOK_SECRET": config.SANDBOX_WEBHOOK_SECRET,
    }
    printed = refusal(PRODUCTION | sandbox, tmp_path)
    for name, value in sandbox.items():
        assert f"{name} is a placeholder" in printed
        assert value not in printed


@pytest.mark.parametrize("name", SECRETS)
def test_short_secret_stops_production_without_showing_it(name: str, tmp_path: Path) -> None:
    printed = refusal(PRODUCTION | {name: "Zq7-sh"}, tmp_path)
    assert f"{name} is too short" in printed
    assert "Zq7-sh" not in printed


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"PUBLIC_URL": "http://copilot.test"}, "PUBLIC_URL must begin with https://"),
        ({"PUBLIC_URL": "copilot.test"}, "must begin with http:// or https://"),
        ({"SANDBOX": "true"}, "SANDBOX must be off in production"),
        ({"ADMIN_EMAILS": ""}, "nobody could log in"),
        ({"WEB_PORT": "70000"}, "WEB_PORT"),
        ({"COPILOT_ENV": "prod"}, "COPILOT_ENV"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS holds *"),
        ({"ALLOWED_HOSTS": "copilot.test,*"}, "ALLOWED_HOSTS holds *"),
        ({"ALLOWED_HOSTS": "copilot.test,.com"}, "ALLOWED_HOSTS holds .com"),
        ({"GOOGLE_ISSUER_URL": "https://google.test"}, "GOOGLE_ISSUER_URL is set"),
        ({"TELEGRAM_API_URL": "http://127.0.0.1:8081"}, "TELEGRAM_API_URL must begin with https://"),
        ({"EXCHANGE_API_URL": "http://127.0.0.1:8081"}, "EXCHANGE_API_URL must begin with https://"),
        ({"DATABASE_URL": "postgresql://copilot@postgres/copilot"}, "DATABASE_URL has no password"),
        ({"REDIS_URL": "redis://redis:6379/0"}, "REDIS_URL has no password"),
        ({"CACHE_URL": "redis://redis:6379/1"}, "CACHE_URL has no password"),
        ({"CACHE_URL": PRODUCTION["REDIS_URL"]}, "CACHE_URL is REDIS_URL"),
        ({"REDIS_URL": "redis://:aaaaaaaa@redis:6379/0"}, "REDIS_URL has one letter"),
        ({"SECRET_KEY": "a" * 64}, "SECRET_KEY is one that can be guessed"),
        ({"SECRET_KEY": "abab" * 20}, "SECRET_KEY is one that can be guessed"),
        ({"TELEGRAM_WEBHOOK_SECRET": "1" * 32}, "TELEGRAM_WEBHOOK_SECRET is one that can be guessed"),
        ({"TELEGRAM_WEBHOOK_SECRET": "no spaces allowed here"}, "Telegram allows"),
    ],
)
def test_unsafe_value_stops_production_with_its_reason(
    change: dict[str, str], complaint: str, tmp_path: Path
) -> None:
    assert complaint in refusal(PRODUCTION | change, tmp_path)


def test_secret_may_come_from_a_file_and_the_environment_wins(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "secret_key").write_text(PRODUCTION["SECRET_KEY"])
    mounted = {key: value for key, value in PRODUCTION.items() if key != "SECRET_KEY"} | {
        "SECRETS_DIR": str(secrets)
    }
    assert start(mounted, tmp_path).returncode == 0
    assert "SECRET_KEY is a placeholder" in refusal(mounted | {"SECRET_KEY": "change-me"}, tmp_path)


def test_crash_point_is_refused_in_production_and_a_wrong_one_everywhere(tmp_path: Path) -> None:
    assert "COPILOT_CRASH_AT is set" in refusal(PRODUCTION | {"COPILOT_CRASH_AT": "after_send"}, tmp_path)
    assert "COPILOT_CRASH_AT" in refusal({"COPILOT_CRASH_AT": "nowhere"}, tmp_path)


@pytest.mark.parametrize(
    "process", ["web", "worker", "training-worker", "beat", "sender", "executor", "migrate"]
)
def test_process_is_asked_for_what_it_needs_only(process: str, tmp_path: Path) -> None:
    bare = {"COPILOT_ENV": "production", "COPILOT_PROCESS": process, "PUBLIC_URL": "https://copilot.test"}
    asked = set(re.findall(r"([A-Z_]+) is missing", refusal(bare | {"PASSWORD_LOGIN": "true"}, tmp_path)))

    assert asked == {name.upper() for name in NEEDS[process]} - {"GOOGLE_CLIENT_SECRET"}


def test_real_bot_does_not_listen_to_the_published_webhook_secret(tmp_path: Path) -> None:
    real = {"TELEGRAM_BOT_TOKEN": PRODUCTION["TELEGRAM_BOT_TOKEN"]}
    with mock.patch.dict(os.environ, real, clear=True), contextlib.chdir(tmp_path):
        assert config.load_configuration().telegram_webhook_secret is None, "no webhook at all"
    published = real | {"TELEGRAM_WEBHOOK_SECRET": config.SANDBOX_WEBHOOK_SECRET}
    assert "TELEGRAM_WEBHOOK_SECRET is a placeholder" in refusal(published, tmp_path)
    with mock.patch.dict(os.environ, {}, clear=True), contextlib.chdir(tmp_path):
        sandbox = config.load_configuration()
    assert sandbox.telegram_webhook_secret is not None

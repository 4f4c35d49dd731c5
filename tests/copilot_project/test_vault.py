"""Settings from Vault, by real hvac against a stand-in; against a real one where REAL_VAULT_ADDR names it."""

import contextlib
import os
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import call_command

from copilot_project import tasks, vault
from copilot_project.config import Configuration, load_configuration
from copilot_project.setting_origins import MASK, origins
from signals.models import Alarm
from tests.copilot_project.test_config import PRODUCTION, start
from tests.copilot_project.vault_server import NAMESPACE, ROLE_ID, SECRET_ID, VaultServer

TOKEN = "t0ken-of-the-tests"


@pytest.fixture
def server() -> Iterator[VaultServer]:
    with VaultServer() as running:
        running.secrets["copilot"] = {"SECRET_KEY": PRODUCTION["SECRET_KEY"], "web_port": 8123}
        yield running


def by_token(server: VaultServer, **more: str) -> dict[str, str]:
    return {"VAULT_ADDR": server.url, "VAULT_TOKEN": TOKEN} | more


def load(environment: dict[str, str], folder: Path) -> Configuration:
    with mock.patch.dict(os.environ, environment, clear=True), contextlib.chdir(folder):
        return load_configuration()


def refusal(environment: dict[str, str], folder: Path) -> str:
    with pytest.raises(SystemExit) as stopped:
        load(environment, folder)
    assert TOKEN not in str(stopped.value)
    return str(stopped.value)


def test_production_starts_with_vault_alone(server: VaultServer, tmp_path: Path) -> None:
    server.secrets["copilot"] = dict(PRODUCTION)
    process = start(by_token(server), tmp_path)
    assert process.stdout == "started True\n", process.stderr


def test_environment_and_env_file_win_over_vault_and_vault_over_files(
    server: VaultServer, tmp_path: Path
) -> None:
    names = ("GOOGLE_CLIENT_ID", "TELEGRAM_BOT_USERNAME", "CODE_VERSION", "LEDGER_GIT_REMOTE")
    server.secrets["copilot"] = dict.fromkeys(names[:3], "vault")
    folder = tmp_path / "files"
    folder.mkdir()
    for name in names:
        (folder / name.lower()).write_text("file")
    (tmp_path / ".env").write_text("GOOGLE_CLIENT_ID=dotenv\nTELEGRAM_BOT_USERNAME=dotenv")
    environment = by_token(server, GOOGLE_CLIENT_ID="environment", SECRETS_DIR=str(folder))
    config = load(environment, tmp_path)
    assert [getattr(config, name.lower()) for name in names] == ["environment", "dotenv", "vault", "file"]
    with mock.patch.dict(os.environ, environment, clear=True), contextlib.chdir(tmp_path):
        sources = {origin.name: origin.source for origin in origins(config)}
    assert [sources[name] for name in names] == [
        "environment",
        ".env",
        "vault secret/copilot",
        f"file in {folder}",
    ]
    assert sources["WEB_PORT"] == "default"
    assert sources["SANDBOX"] == "default of development"


def test_approle_logs_in_and_a_later_path_wins(server: VaultServer, tmp_path: Path) -> None:
    server.namespace = NAMESPACE
    server.secrets["copilot/web"] = {"WEB_PORT": "8200"}
    environment = {
        "VAULT_ADDR": server.url,
        "VAULT_ROLE_ID": ROLE_ID,
        "VAULT_SECRET_ID": SECRET_ID,
        "VAULT_NAMESPACE": NAMESPACE,
        "VAULT_PATH": "copilot, copilot/web",
    }
    config = load(environment, tmp_path)
    assert config.web_port == 8200
    assert config.secret_key.get_secret_value() == PRODUCTION["SECRET_KEY"]
    told = refusal(environment | {"VAULT_SECRET_ID": "other"}, tmp_path)
    assert "refuses the log-in" in told


def test_vault_names_no_other_vault(server: VaultServer, tmp_path: Path) -> None:
    server.secrets["copilot"]["VAULT_ADDR"] = "http://127.0.0.1:1"
    assert load(by_token(server), tmp_path).vault_addr == server.url


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"VAULT_ADDR": "http://127.0.0.1:1"}, "cannot be reached"),
        ({"VAULT_TOKEN": "another"}, "refuses us"),
        ({"VAULT_PATH": "elsewhere"}, "has no secret secret/elsewhere"),
        ({"VAULT_TOKEN": ""}, "neither VAULT_TOKEN nor VAULT_ROLE_ID"),
        ({"VAULT_TIMEOUT_SECONDS": "soon"}, "VAULT_TIMEOUT_SECONDS is not a number"),
    ],
    ids=["away", "token", "path", "nobody", "timeout"],
)
def test_start_without_vault_s_answer_ends_in_one_line(
    change: dict[str, str], told: str, server: VaultServer, tmp_path: Path
) -> None:
    message = refusal(by_token(server) | change, tmp_path)
    assert told in message
    assert "\n" not in message


def test_sealed_vault_ends_the_process_with_status_1_and_one_line(
    server: VaultServer, tmp_path: Path
) -> None:
    server.sealed = True
    process = start(PRODUCTION | by_token(server), tmp_path)
    assert process.returncode == 1
    assert process.stderr == f"No settings from Vault: Vault at {server.url} is sealed or in maintenance.\n"


def test_slow_vault_is_not_waited_for(server: VaultServer, tmp_path: Path) -> None:
    server.delay_seconds = 1.0
    began = time.monotonic()
    assert "cannot be reached" in refusal(by_token(server, VAULT_TIMEOUT_SECONDS="0.2"), tmp_path)
    assert time.monotonic() - began < 1.0


def test_production_asks_a_vault_elsewhere_by_https_only(server: VaultServer, tmp_path: Path) -> None:
    with mock.patch("copilot_project.config.read_at_start", return_value={}):
        told = refusal(PRODUCTION | {"VAULT_ADDR": "http://vault.test:8200", "VAULT_TOKEN": TOKEN}, tmp_path)
    assert "VAULT_ADDR must begin with https://" in told


def test_token_is_renewed_at_half_its_life_and_a_lapsed_approle_logs_in_again(server: VaultServer) -> None:
    client = vault.Vault(vault.VaultAccess(address=server.url, role_id=ROLE_ID, secret_id=SECRET_ID))
    client.keep_alive()
    client.keep_alive()
    assert "/v1/auth/token/renew-self" not in server.asked
    token = client.client.token
    server.tokens[token] = time.monotonic() + server.lease_seconds / 3
    client.keep_alive()
    assert server.asked.count("/v1/auth/token/renew-self") == 1
    server.tokens[token] = 0.0
    client.keep_alive()
    assert client.client.token != token
    assert client.read()["web_port"] == "8123"


@pytest.mark.django_db
def test_while_running_old_values_stay_and_an_alarm_says_what_is_wrong(
    server: VaultServer, tmp_path: Path
) -> None:
    access = load(by_token(server), tmp_path).vault_access()
    with mock.patch.object(tasks.settings, "VAULT_ACCESS", access):
        tasks.watch_vault()
        assert not Alarm.objects.exists()
        server.sealed = True
        tasks.watch_vault()
        tasks.watch_vault()
        alarm = Alarm.objects.get()
        assert (alarm.name, alarm.cleared_at) == ("vault", None)
        assert "is sealed" in alarm.detail
        assert "what was read at the start stays" in alarm.detail
        server.sealed = False
        server.secrets["copilot"]["WEB_PORT"] = "9999"
        tasks.watch_vault()
        alarm.refresh_from_db()
        assert alarm.detail == "changed in Vault, restart the processes to take it: WEB_PORT"
        del server.secrets["copilot"]["WEB_PORT"]
        tasks.watch_vault()
        alarm.refresh_from_db()
        assert alarm.cleared_at is not None
    with mock.patch.object(tasks.settings, "VAULT_ACCESS", None):
        tasks.watch_vault()  # asks nobody


def test_show_settings_names_each_source_and_no_secret(server: VaultServer, tmp_path: Path) -> None:
    server.secrets["copilot"] = dict(PRODUCTION)
    environment = by_token(server, LEDGER_HEAD_CHAT_ID="-10077788899")
    config = load(environment, tmp_path)
    out = StringIO()
    with (
        mock.patch("copilot_project.settings.config", config),
        mock.patch.dict(os.environ, environment, clear=True),
        contextlib.chdir(tmp_path),
    ):
        call_command("show_settings", stdout=out)
        call_command("show_settings", "--json", stdout=(as_json := StringIO()))
    lines = {line.split()[0]: line for line in out.getvalue().splitlines() if line[:1].isupper()}
    assert lines["SECRET_KEY"].split() == ["SECRET_KEY", "vault", "secret/copilot", MASK]
    assert "postgresql://copilot:********@postgres:5432/copilot" in lines["DATABASE_URL"]
    assert lines["COPILOT_ENV"].endswith("production")
    assert '"source": "vault secret/copilot"' in as_json.getvalue()
    for text in (out.getvalue(), as_json.getvalue()):
        for secret in ("SECRET_KEY", "METRICS_TOKEN", "TELEGRAM_BOT_TOKEN", "GOOGLE_CLIENT_SECRET"):
            assert PRODUCTION[secret] not in text
        for hidden in ("d4ta-77aa", "r3dis-55bb", "trader@copilot.test", TOKEN, "10077788899"):
            assert hidden not in text


def test_a_real_vault_answers_the_same() -> None:
    """For an operator: REAL_VAULT_ADDR and VAULT_TOKEN of a development server that holds secret/copilot."""
    address = os.environ.get("REAL_VAULT_ADDR")
    if not address:
        pytest.skip("no REAL_VAULT_ADDR: no real Vault to ask")
    client = vault.Vault(vault.VaultAccess(address=address, token=os.environ["VAULT_TOKEN"]))
    client.keep_alive()
    assert client.read()

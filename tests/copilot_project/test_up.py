"""`manage.py up` as a process, up to the point where it refuses; what it starts is run by hand and by CI's demo."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from copilot_project import processes
from copilot_project.embedded.state import CHECKOUT
from copilot_project.management.commands.up import Command, is_sandbox_settled, refuse_other_market
from signals.engine.timeframe import Timeframe
from signals.market.models import Exchange
from signals.models import Action
from tests.factories import make_instrument, make_series, store
from tests.ports import free_port


def up(**environment: str) -> subprocess.CompletedProcess[str]:
    ports = {
        name: str(free_port())
        for name in ("WEB_PORT", "SANDBOX_PORT", "WORKER_METRICS_PORT", "SENDER_METRICS_PORT")
    }
    state = settings.STATE_DIR / f"up-{os.urandom(4).hex()}"
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")
    }
    return subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=CHECKOUT,
        env=inherited | ports | {"COPILOT_STATE_DIR": str(state)} | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


SHOWS_TIMEOUT = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SHOW statement_timeout")
    print(*cursor.fetchone())
"""


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def one_line(refused: subprocess.CompletedProcess[str]) -> str:
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    (line,) = refused.stderr.splitlines()
    return line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "owner"),
    [
        ("WEB_PORT", "web"),
        ("SANDBOX_PORT", "sandbox"),
        ("WORKER_METRICS_PORT", "metrics of the worker"),
        ("SENDER_METRICS_PORT", "metrics of the sender"),
    ],
)
def test_busy_port_is_named_with_the_variable_that_moves_it(
    busy_port: int, variable: str, owner: str
) -> None:
    line = one_line(up(**{variable: str(busy_port)}))
    assert f"port {busy_port} ({owner}) is in use" in line
    assert f"{variable}=" in line


def test_unreachable_database_is_one_line_without_the_password() -> None:
    line = one_line(up(DATABASE_URL=f"postgresql://me:hunter2@127.0.0.1:{free_port()}/x"))
    assert "DATABASE_URL is set, but no PostgreSQL answers there" in line
    assert "unset DATABASE_URL" in line
    assert "hunter2" not in line


@pytest.mark.slow
def test_unreachable_redis_is_one_line_without_the_password() -> None:
    line = one_line(
        up(
            REDIS_URL=f"redis://:hunter2@127.0.0.1:{free_port()}/0",
            DATABASE_URL=os.environ["DATABASE_URL"],
        )
    )
    assert "REDIS_URL is set, but nothing answers" in line
    assert "hunter2" not in line


def test_state_folder_that_cannot_be_written_is_one_line() -> None:
    line = one_line(up(COPILOT_STATE_DIR=str(CHECKOUT / "manage.py" / "below")))
    assert "cannot write to the state folder" in line
    assert "set COPILOT_STATE_DIR" in line


@pytest.mark.parametrize("is_there", [True, False])
def test_candles_that_are_not_there_are_one_line(is_there: bool, tmp_path: Path) -> None:
    folder = tmp_path if is_there else tmp_path / "nothing"
    line = one_line(up(SANDBOX_DATA=str(folder)))
    assert "SANDBOX_DATA: " in line
    assert "parquet" in line


def test_no_sandbox_without_saying_so_in_the_environment_is_refused() -> None:
    with pytest.raises(CommandError, match="SANDBOX=false"):
        call_command("up", "--no-sandbox")


@pytest.mark.django_db
def test_admin_is_made_once_and_its_password_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    command = Command()
    command._create_admin()
    printed = capsys.readouterr().out
    password = printed.split("Password: ")[1].split()[0]
    assert get_user_model().objects.get(username="admin").check_password(password)
    command._create_admin()
    assert capsys.readouterr().out == ""


def test_worker_metrics_begin_empty() -> None:
    left = settings.STATE_DIR / "metrics" / "worker" / "counter_1.db"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"old")
    worker = processes.worker({})
    assert worker.env is not None
    assert worker.env["PROMETHEUS_MULTIPROC_DIR"] == str(left.parent)
    assert list(left.parent.iterdir()) == []


def test_children_compute_on_one_thread_each_and_learn_the_moved_console(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PUBLIC_URL", raising=False)
    env = processes.environment(8123)
    assert env["OMP_NUM_THREADS"] == "1"
    assert env["PUBLIC_URL"] == "http://127.0.0.1:8123"


def test_statement_of_a_child_that_takes_too_long_ends(process_env: dict[str, str]) -> None:
    told = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", SHOWS_TIMEOUT],
        cwd=CHECKOUT,
        env=processes.environment(8123) | {"DATABASE_URL": process_env["DATABASE_URL"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert told.stdout.strip() == "1min"


@pytest.mark.django_db
@pytest.mark.parametrize("sandbox", [True, False])
def test_prices_of_the_other_world_are_not_continued(sandbox: bool, settings: Settings) -> None:
    """Simulated and real candles in one table would be told under one name."""
    settings.SANDBOX = sandbox
    exchange = Exchange.objects.create(code="other", name="Other", is_simulated=sandbox)
    refuse_other_market()
    exchange.is_simulated = not sandbox
    exchange.save()
    with pytest.raises(CommandError, match="COPILOT_STATE_DIR"):
        refuse_other_market()


@pytest.mark.django_db
def test_imported_candles_of_the_other_world_can_be_removed_and_are_named(settings: Settings) -> None:
    settings.SANDBOX = True
    gemini = Exchange.objects.create(code="gemini", name="Gemini")
    instrument = make_instrument(exchange=gemini, symbol="BTC/USD")
    store(instrument, Timeframe.H1, make_series(bars=5, start=datetime(2024, 1, 1, tzinfo=UTC)))
    with pytest.raises(CommandError, match=r"manage\.py up --remove-other-market"):
        refuse_other_market()
    out = StringIO()
    Command(stdout=out)._remove_other_market()
    refuse_other_market()
    assert out.getvalue() == "Removed: gemini BTC/USD with 5 candles\nRemoved: exchange gemini\n"
    assert not Exchange.objects.filter(code="gemini").exists()
    assert Action.objects.get(what="market.removed").before == {
        "removed": ["gemini BTC/USD with 5 candles", "exchange gemini"]
    }


@pytest.mark.django_db
def test_the_sandbox_is_settled_with_its_first_candles_or_without_an_instrument() -> None:
    assert is_sandbox_settled()
    instrument = make_instrument()
    assert not is_sandbox_settled()
    store(instrument, Timeframe.D1, make_series(bars=1, start=datetime(2024, 1, 1, tzinfo=UTC)))
    assert is_sandbox_settled()

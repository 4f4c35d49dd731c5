"""A backup comes back whole: every row, every sequence, every trigger, into an empty database."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg import sql

from copilot_project.backup import DUMP, LIST
from signals.engine.timeframe import Timeframe
from signals.services import kill_switch
from signals.services.actions import record_action
from tests.factories import make_instrument, make_series, store
from tests.notifications.rows import make_signal, make_subscriber

REPOSITORY = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


def url_of(database: str) -> str:
    return re.sub(r"/[^/?]*(\?|$)", rf"/{database}\1", os.environ["DATABASE_URL"], count=1)


@pytest.fixture
def other_database() -> Iterator[str]:
    """An empty database beside the test's."""
    name = f"copilot_restore_{os.getpid()}"
    with psycopg.connect(url_of(connection.settings_dict["NAME"]), autocommit=True) as server:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        server.execute(drop)
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        yield name
        server.execute(drop)


@pytest.fixture
def rows() -> None:
    """People with names beyond ASCII, a chain of signals, candles with odd floats, bytes, JSON."""
    make_subscriber(display_name="Žofie 'O\\' Neill\n\t€", preference={"instruments": [make_instrument()]})
    for _ in range(3):
        make_signal()
    series = make_series(bars=500, start=NOW)
    volume = np.array([5e-324, 0.1 + 0.2, 1.7976931348623157e308, *series.volume[3:]])
    store(make_instrument(), Timeframe.H1, replace(series, volume=volume))
    kill_switch.engage(reason="before the test", by="tester", now=NOW)
    record_action(actor="tester", what="tried", target="backup", now=NOW, after={"x": [1.5, None, "ü"]})


def everything(database: str) -> dict[str, Any]:
    """Every row of every table as Postgres's own binary COPY gives it, and where each sequence stands."""
    found: dict[str, Any] = {}
    with psycopg.connect(url_of(database)) as connected:
        tables = connected.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        ).fetchall()
        for (table,) in tables:
            statement = sql.SQL("COPY (SELECT * FROM {} t) TO STDOUT (FORMAT text)").format(
                sql.Identifier(table)
            )
            with connected.cursor().copy(statement) as copy:
                found[table] = sorted(b"".join(bytes(part) for part in copy).splitlines())
        found["sequences"] = connected.execute(
            "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"
        ).fetchall()
        found["triggers"] = connected.execute(
            "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
        ).fetchall()
        found["constraints"] = connected.execute(
            # Postgres writes the casts of a condition differently after a round trip: names and kinds.
            "SELECT conrelid::regclass::text, conname, contype, convalidated FROM pg_constraint ORDER BY 1, 2"
        ).fetchall()
        found["indexes"] = connected.execute(
            "SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
        ).fetchall()
    return found


def restored(folder: Path, database: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "restore", str(folder), *more],
        cwd=REPOSITORY,
        env=os.environ | {"DATABASE_URL": url_of(database)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_comes_back_row_by_row(rows: None, other_database: str, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    call_command("backup", str(folder))
    process = restored(folder, other_database)

    assert process.returncode == 0, process.stderr
    assert "are as they were" in process.stdout
    before, after = everything(connection.settings_dict["NAME"]), everything(other_database)
    assert after.keys() == before.keys()
    for part, values in before.items():
        assert after[part] == values, part
    assert len(before["market_candle"]) == 500
    assert len(before["signals_signal"]) == 3
    with psycopg.connect(url_of(other_database)) as connected, pytest.raises(psycopg.errors.DatabaseError):
        connected.execute("UPDATE signals_signal SET confidence = 1")

    full = restored(folder, other_database)
    assert full.returncode == 1
    assert (
        f"not empty: restore into an empty one, or throw this one's rows away with --replace {other_database}"
        in (full.stderr)
    )
    again = restored(folder, other_database, "--replace", other_database)
    assert again.returncode == 0, again.stderr
    assert everything(other_database)["signals_signal"] == before["signals_signal"]


def test_backup_can_be_read_by_its_owner_only_and_is_never_half_there(rows: None, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    call_command("backup", str(folder))
    assert [oct(path.stat().st_mode)[-3:] for path in (folder, folder / DUMP, folder / LIST)] == [
        "700",
        "600",
        "600",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]
    listed = json.loads((folder / LIST).read_text())
    assert listed["tables"]["market_candle"][0] == 500
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", str(folder))


def test_damaged_backup_is_refused_before_anything_is_changed(rows: None, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    call_command("backup", str(folder))
    with (folder / DUMP).open("r+b") as file:
        file.seek(2000)
        file.write(b"?")
    with pytest.raises(CommandError, match="damaged"):
        call_command("restore", str(folder), "--replace", connection.settings_dict["NAME"])
    with pytest.raises(CommandError, match="is no backup"):
        call_command("restore", str(tmp_path / "elsewhere"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM signals_signal")
        assert cursor.fetchone() == (3,)


def test_rows_that_came_back_otherwise_are_named(rows: None, other_database: str, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    call_command("backup", str(folder))
    listed = json.loads((folder / LIST).read_text())
    listed["tables"]["signals_action"][0] += 1
    (folder / LIST).write_text(json.dumps(listed))
    process = restored(folder, other_database)
    assert process.returncode == 1
    assert "not as it was: signals_action" in process.stderr

"""A backup is a folder: Postgres's own dump, and a list of every table with the number and the hash of its rows.

Both are taken from one snapshot while the system works on; a restore counts and hashes again and compares.
"""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from copilot_project.database_roles import grant_as_configured
from copilot_project.embedded.binaries import postgres_bindir
from copilot_project.embedded.error import EmbeddedError

DUMP, LIST = "database.dump", "tables.json"
FORMAT = 1
# What a row's text depends on, the same for every server and client.
STEADY_TEXT = (
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; "
)
STEADY_TEXT += (
    "SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL statement_timeout = 0"
)
TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
AND NOT relispartition ORDER BY relname
"""
# Independent of the order of rows; 60 bits of each row's md5, summed without overflow.
COUNT_AND_HASH = """
SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint::numeric), 0)::text FROM {} AS t
"""

OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
LEAVE_SECONDS = 5.0  # for a server to notice that a process has just ended

Tell = Callable[[str], None]


class BackupError(Exception):
    """Why there is no backup or no restore, in one line that says what to do."""


@dataclass(frozen=True)
class TableState:
    """How many rows a table has, and the sum of their hashes."""

    rows: int
    hash: str


def back_up(*, folder: Path, now: datetime, tell: Tell) -> dict[str, Any]:
    """Write a backup into `folder`, which must be new; what its list says."""
    if folder.exists():
        raise BackupError(f"{folder} exists already: name a new folder")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise BackupError(f"cannot make {partial}: {error.strerror}") from None
    try:
        with _snapshot() as name:
            _run(
                "pg_dump",
                "-Fc",
                "--no-owner",
                "--no-privileges",
                f"--snapshot={name}",
                "-f",
                str(partial / DUMP),
            )
            tables = table_states()
        (partial / DUMP).chmod(0o600)
        listed = {
            "format": FORMAT,
            "made_at": now.isoformat(),
            "code_version": settings.CODE_VERSION,
            "sha256": sha256_of(partial / DUMP),
            "tables": {table: [state.rows, state.hash] for table, state in tables.items()},
        }
        (partial / LIST).write_text(json.dumps(listed, indent=1))
        (partial / LIST).chmod(0o600)
        partial.rename(folder)  # a folder of that name is whole
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    tell(f"{sum(state.rows for state in tables.values())} rows of {len(tables)} tables in {folder}")
    return listed


def restore(*, folder: Path, replace: str, tell: Tell) -> list[str]:
    """Fill this database from `folder` and compare every table; names of migrations that are still to be run."""
    listed = read_list(folder)
    database = connection.settings_dict["NAME"]
    if table_names():
        if replace != database:
            raise BackupError(
                f"the database {database} is not empty: restore into an empty one, "
                f"or throw this one's rows away with --replace {database}"
            )
        _empty_the_database(database)
    _run(
        "pg_restore",
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
        "-d",
        database,
        str(folder / DUMP),
    )
    with transaction.atomic():
        found = table_states()
    expected = {table: TableState(*state) for table, state in listed["tables"].items()}
    if wrong := sorted(t for t in expected.keys() | found.keys() if expected.get(t) != found.get(t)):
        raise BackupError(
            f"restored, but not as it was: {', '.join(wrong)} differ from the list of the backup"
        )
    grant_as_configured()
    tell(f"{sum(state.rows for state in found.values())} rows of {len(found)} tables are as they were")
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def read_list(folder: Path) -> dict[str, Any]:
    """The list of a backup whose dump is the one that was written."""
    try:
        listed: dict[str, Any] = json.loads((folder / LIST).read_text())
        found = sha256_of(folder / DUMP)
    except OSError as error:
        raise BackupError(f"{folder} is no backup: {error.strerror} ({error.filename})") from None
    except json.JSONDecodeError:
        raise BackupError(f"{folder / LIST} is damaged") from None
    if listed.get("format") != FORMAT:
        raise BackupError(f"{folder} has format {listed.get('format')}; this version reads {FORMAT}")
    if found != listed["sha256"]:
        raise BackupError(f"{folder / DUMP} is damaged: its hash is not the one in {LIST}")
    return listed


def table_names() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        return [name for (name,) in cursor.fetchall()]


def table_states() -> dict[str, TableState]:
    """Of every table, within the transaction of the caller."""
    states = {}
    with connection.cursor() as cursor:
        cursor.execute(STEADY_TEXT)
        for table in table_names():
            cursor.execute(sql.SQL(COUNT_AND_HASH).format(sql.Identifier(table)))
            states[table] = TableState(*cursor.fetchone())
    return states


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _snapshot() -> Iterator[str]:
    """A transaction that sees one moment, and the name by which pg_dump sees the same."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        yield cursor.fetchone()[0]


def _empty_the_database(database: str) -> None:
    # A pool of ours may have a second connection, which would be counted as somebody else's.
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # Postgres's own
    connection.settings_dict["OPTIONS"] = {**connection.settings_dict["OPTIONS"], "pool": False}
    deadline = time.monotonic() + LEAVE_SECONDS
    while others := _other_connections():
        if time.monotonic() > deadline:
            raise BackupError(f"{others} connections to {database} are open: stop the processes first")
        time.sleep(0.2)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner")
        cursor.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")


def _other_connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute(OTHERS)
        return int(cursor.fetchone()[0])


def _run(program: str, *arguments: str) -> None:
    """One of Postgres's programs, by environment and not by arguments told who it is."""
    parameters = connection.settings_dict
    told = {
        "PGHOST": parameters["HOST"],
        "PGPORT": parameters["PORT"],
        "PGUSER": parameters["USER"],
        "PGPASSWORD": parameters["PASSWORD"],
        "PGDATABASE": parameters["NAME"],
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= {name: str(value) for name, value in told.items() if value}
    try:
        ended = subprocess.run(  # noqa: S603
            [str(_program(program)), *arguments], env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise BackupError(f"{program} cannot be run: {error.strerror}") from None
    if ended.returncode:
        raise BackupError(f"{program} failed: {' '.join(ended.stderr.split())[:600]}")


def _program(name: str) -> Path:
    """Beside the embedded server's programs, which are of the newest Postgres that we know, else on the path."""
    try:
        beside = postgres_bindir() / name
    except EmbeddedError:
        beside = None
    if beside and beside.exists():
        return beside
    if found := shutil.which(name):
        return Path(found)
    raise BackupError(f"{name} is missing: run `make setup`, or `apt-get install postgresql-client`")

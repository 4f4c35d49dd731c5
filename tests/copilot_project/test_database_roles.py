"""What the running application may do to its database, and what it may not, by its role alone."""

import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from copilot_project.command_line import OWNER_COMMANDS, OWNER_VARIABLE, credentials_of
from copilot_project.database_roles import grant_to_application, kept_tables
from copilot_project.embedded.state import APPLICATION
from copilot_project.processes import environment
from tests.notifications.rows import make_signal, make_subscriber

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def application() -> Iterator[psycopg.Connection]:
    """A connection as the running application has it, to the test's database."""
    name = connection.settings_dict["NAME"]
    assert grant_to_application(role=APPLICATION, password=None)
    owner = credentials_of(os.environ["DATABASE_URL"])[0]
    url = os.environ["DATABASE_URL"].replace(f"//{owner}@", f"//{APPLICATION}@", 1)
    if urlsplit(url).username != APPLICATION:
        pytest.skip("a server of yours, whose role has a password")
    with psycopg.connect(re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", url, count=1), autocommit=True) as connected:
        yield connected


def test_it_reads_and_writes_rows(application: psycopg.Connection) -> None:
    make_subscriber(display_name="Ada")
    assert application.execute("SELECT display_name FROM users_subscriber").fetchone() == ("Ada",)
    assert application.execute("UPDATE users_subscriber SET notes = 'met'").rowcount == 1
    application.execute(
        "INSERT INTO signals_action (actor, what, target, address, at) VALUES ('a','b','c','',now())"
    )
    application.execute("CREATE TEMPORARY TABLE scratch (n int)")
    application.execute("SELECT pg_notify('copilot_kill_switch', 'engaged'), pg_advisory_lock(1)")
    application.execute("DELETE FROM users_subscriber")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE signals_signal SET confidence = 1",
        "DELETE FROM signals_signal",
        "TRUNCATE signals_signal",
        "UPDATE signals_action SET actor = 'nobody'",
        "DELETE FROM signals_action",
        "UPDATE signals_killswitchchange SET reason = ''",
        "DELETE FROM users_user",
        "DELETE FROM users_userevent",
        "DELETE FROM users_subscriberevent",
        "SET session_replication_role = replica",
        "ALTER TABLE signals_signal DISABLE TRIGGER ALL",
        "DROP TABLE signals_signal",
        "CREATE TABLE mine (n int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "COPY signals_signal TO PROGRAM 'cat'",
        "COPY signals_signal TO '/tmp/signals'",
        "CREATE ROLE another SUPERUSER",
        "DELETE FROM django_migrations",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE copilot",
    ],
)
def test_it_may_not(application: psycopg.Connection, statement: str) -> None:
    make_signal()
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue)):
        application.execute(statement)  # type: ignore[arg-type]


def test_pgtriggers_own_way_to_let_triggers_rest_opens_nothing(application: psycopg.Connection) -> None:
    make_signal()
    application.execute("SET pgtrigger.ignore = '{signals_signal:append_only,signals_signal:no_truncate}'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute("UPDATE signals_signal SET confidence = 1")


def test_role_is_no_superuser_and_a_second_grant_takes_nothing_away(application: psycopg.Connection) -> None:
    grant_to_application(role=APPLICATION, password=None)
    flags = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
    assert (
        application.execute(f"SELECT {flags} FROM pg_roles WHERE rolname = current_user").fetchone()
        == (False,) * 5
    )
    application.execute("SELECT count(*) FROM signals_signal")


def test_what_is_append_only_is_found_by_its_triggers() -> None:
    kept = dict(kept_tables())
    for table in ("signals_signal", "signals_action", "signals_killswitchchange"):
        assert kept[table] == ["UPDATE", "DELETE"]
    assert kept["users_subscriberevent"] == ["DELETE"]
    assert "users_subscriber" not in kept


def test_migrating_grants_what_new_tables_need(application: psycopg.Connection, settings: Settings) -> None:
    settings.APPLICATION_ROLE, settings.APPLICATION_PASSWORD = APPLICATION, ""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE added_later (n int)")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute("SELECT * FROM added_later")
        call_command("migrate", verbosity=0)
        application.execute("SELECT * FROM added_later")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE added_later")


def test_processes_are_no_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OWNER_VARIABLE, "1")
    assert OWNER_VARIABLE not in environment(8000)
    assert {"migrate", "up"} <= OWNER_COMMANDS
    assert not OWNER_COMMANDS & {"send_deliveries", "replay", "createsuperuser", "shell"}

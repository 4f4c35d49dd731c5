"""A clock of the database that a test may put forward: what the sender's SQL calls `now()`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection
from psycopg.conninfo import make_conninfo

from notifications.services.sender.conninfo import conninfo

# pg_catalog is searched first unless the path names it: behind `clock`, that schema's functions win.
SEARCH_PATH = "clock, pg_catalog, public"
CREATE = """
CREATE SCHEMA clock;
CREATE TABLE clock.ahead (by interval NOT NULL);
INSERT INTO clock.ahead VALUES ('0');
CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE
    RETURN pg_catalog.now() + (SELECT by FROM clock.ahead);
CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    RETURN pg_catalog.clock_timestamp() + (SELECT by FROM clock.ahead);
"""


class VirtualClock:
    """Runs like the real one, some time ahead of it. Statements that spell now() otherwise do not follow."""

    conninfo: str

    def __init__(self) -> None:
        self.conninfo = make_conninfo(conninfo(), options=f"-c search_path={SEARCH_PATH.replace(' ', '')}")

    def now(self) -> datetime:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            moment: datetime = cursor.fetchone()[0]
        return moment

    def put_forward(self, span: timedelta) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE clock.ahead SET by = by + %s", [span])


@contextmanager
def virtual_clock() -> Iterator[VirtualClock]:
    """For Django's connection, and for those made with its `conninfo`."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS clock CASCADE")
        cursor.execute(CREATE)
        cursor.execute(f"SET search_path = {SEARCH_PATH}")
    try:
        yield VirtualClock()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET search_path")
            cursor.execute("DROP SCHEMA clock CASCADE")

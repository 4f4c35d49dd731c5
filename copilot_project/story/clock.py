"""The clocks of a story: the stand-ins' and the database's, turned on together.

In the story's database `now()` and its like are found in the schema `story` before Postgres's own, and are those
plus a shift. Nothing of it exists in any other database.
"""

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import LiteralString

import psycopg
from django.db import connection

DATABASE = "copilot_story"
FUNCTIONS: tuple[LiteralString, ...] = (
    (
        "CREATE FUNCTION story.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
        "'SELECT pg_catalog.clock_timestamp() + shift FROM story.clock'"
    ),
    (
        "CREATE FUNCTION story.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS "
        "'SELECT pg_catalog.statement_timestamp() + shift FROM story.clock'"
    ),
    (
        "CREATE FUNCTION story.transaction_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS "
        "'SELECT pg_catalog.transaction_timestamp() + shift FROM story.clock'"
    ),
    (
        "CREATE FUNCTION story.now() RETURNS timestamptz LANGUAGE sql STABLE AS "
        "'SELECT pg_catalog.now() + shift FROM story.clock'"
    ),
)
TURN = "UPDATE story.clock SET shift = %s - pg_catalog.clock_timestamp()"


def make_database(url: str, story_url: str) -> None:
    """A new, empty database with a clock of its own; the last story's is dropped. url: of the same server's own."""
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS copilot_story WITH (FORCE)")
        server.execute("CREATE DATABASE copilot_story")
        server.execute("ALTER DATABASE copilot_story SET search_path = public, story, pg_catalog")
    with psycopg.connect(story_url, autocommit=True) as story:
        make_clock(story.execute)


def make_clock(execute: Callable[[LiteralString], object]) -> None:
    execute("CREATE SCHEMA story")
    execute("CREATE TABLE story.clock (shift interval NOT NULL)")
    execute("INSERT INTO story.clock VALUES ('0')")
    for each in FUNCTIONS:
        execute(each)


def turn_to(moment: datetime, *, sandbox_url: str) -> None:
    """Both clocks go on from `moment`; neither goes back."""
    post(f"{sandbox_url}/_sandbox/clock", {"to_ms": round(moment.timestamp() * 1000)})
    with connection.cursor() as cursor:
        cursor.execute(TURN, [moment])


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def post(url: str, body: dict[str, object]) -> None:
    """To the sandbox's loopback address; urllib's errors are the caller's."""
    request = urllib.request.Request(  # noqa: S310  (the sandbox's own loopback address)
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310

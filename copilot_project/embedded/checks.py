"""What must be true before anything is started; each refusal is one line that says what to do."""

import errno
import socket
from collections.abc import Iterable
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import psycopg
from kombu import Connection
from kombu.exceptions import OperationalError

from copilot_project.embedded.error import EmbeddedError


class Port(NamedTuple):
    """A TCP port of ours, who listens there and which variable moves it."""

    number: int
    owner: str
    variable: str


def refuse_busy_ports(ports: Iterable[Port]) -> None:
    """Raise EmbeddedError for the first port that cannot be listened on."""
    for port in ports:
        with socket.socket(socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port.number))
            except OSError as error:
                reason = "needs root" if error.errno == errno.EACCES else "is in use by another process"
                raise EmbeddedError(
                    f"port {port.number} ({port.owner}) {reason}: stop what listens there, "
                    f"or choose another one, e.g. {port.variable}={free_port()} make run"
                ) from error


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket(socket.AF_INET) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Does somebody listen there?"""
    with socket.socket(socket.AF_INET) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_ready(port: int) -> bool:
    """Does /readyz there say that the whole system works?"""
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, HTTPException):  # 503 is an OSError too
        return False


def refuse_unusable_candles(folder: str | None) -> None:
    """Raise EmbeddedError when SANDBOX_DATA names no folder with Parquet files."""
    if folder and not Path(folder).is_dir():
        raise EmbeddedError(
            f"SANDBOX_DATA: {folder} is not a folder; name one with <SYMBOL>_<interval>.parquet files"
        )
    if folder and not any(Path(folder).glob("*.parquet")):
        raise EmbeddedError(f"SANDBOX_DATA: no candles in {folder}; it needs files like BTCUSDT_1h.parquet")


def refuse_unreachable_database(url: str) -> None:
    """Raise EmbeddedError when no PostgreSQL answers at DATABASE_URL; the text never holds the password."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        reason = (
            " ".join(str(error).split()) if isinstance(error, psycopg.OperationalError) else "not a valid URL"
        )
        raise EmbeddedError(
            f"DATABASE_URL is set, but no PostgreSQL answers there ({reason}): start that server, correct the URL, "
            "or unset DATABASE_URL to use the embedded one"
        ) from None


def refuse_unreachable_redis(url: str) -> None:
    """Raise EmbeddedError when no broker answers at REDIS_URL; the text never holds the password."""
    with Connection(url.replace("unix://", "redis+socket://"), connect_timeout=5) as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=1)
        except OperationalError as error:
            raise EmbeddedError(
                f"REDIS_URL is set, but nothing answers at {connection.as_uri()} ({' '.join(str(error).split())}): "
                "start that server, correct the URL, or unset REDIS_URL to use the embedded one"
            ) from None

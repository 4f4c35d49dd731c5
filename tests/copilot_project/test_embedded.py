"""The real programs, in state folders of their own."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings

from copilot_project.embedded import (
    EmbeddedError,
    Postgres,
    Redis,
    database_url,
    redis_socket,
    redis_url,
    state_dir,
)
from copilot_project.embedded.state import CHECKOUT, postgres_socket_dir

pytestmark = pytest.mark.process

StartPostgres = Callable[[Path], Postgres]


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder that root's server user can reach, which pytest's tmp_path is not."""
    folder = settings.STATE_DIR / f"embedded-{os.urandom(4).hex()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start() -> Iterator[StartPostgres]:
    started: list[Postgres] = []

    def start_one(folder: Path) -> Postgres:
        server = Postgres(folder, volatile=True)
        started.append(server)
        server.start()
        return server

    yield start_one
    for server in started:
        server.stop()


def ask(folder: Path, sql: str) -> str:
    with psycopg.connect(database_url(folder), autocommit=True) as connection:
        cursor = connection.execute(sql)
        return str(cursor.fetchone()) if cursor.description else ""


def postmaster_pid(server: Postgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def test_fresh_start_gives_an_utf8_database_on_a_private_socket(state: Path, start: StartPostgres) -> None:
    server = start(state)
    sql = "SELECT current_database(), current_setting('server_encoding'), current_setting('listen_addresses')"
    assert ask(state, sql) == "('copilot', 'UTF8', '')"
    assert server.run.stat().st_mode & 0o777 == 0o700
    assert server.data.stat().st_mode & 0o777 == 0o700


def test_rows_survive_kill_nine_of_the_server(state: Path, start: StartPostgres) -> None:
    server = Postgres(state)  # not volatile: a commit is on disk
    server.start()
    ask(state, "CREATE TABLE kept (x int)")
    ask(state, "INSERT INTO kept VALUES (7)")
    os.kill(postmaster_pid(server), signal.SIGKILL)
    start(state)
    assert ask(state, "SELECT x FROM kept") == "(7,)"


def test_lock_file_naming_a_stranger_does_not_block_the_start(state: Path, start: StartPostgres) -> None:
    server = start(state)
    server.stop()
    stale = server.data / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{server.data}\n0\n5432\n{server.run}\n")
    os.chown(stale, server.account.pw_uid, server.account.pw_gid)
    start(state)
    assert ask(state, "SELECT 1") == "(1,)"


def test_two_concurrent_starters_share_one_server(state: Path, start: StartPostgres) -> None:
    errors: list[EmbeddedError] = []
    done = threading.Event()

    def begin() -> None:
        try:
            start(state)
        except EmbeddedError as error:
            errors.append(error)
        done.wait(240)  # the kernel stops a server whose starting thread has gone

    threads = [threading.Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        other = Postgres(state)
        while not other.ready() and not errors and any(thread.is_alive() for thread in threads):
            done.wait(0.05)
        assert errors == []
        assert ask(state, "SELECT count(*) FROM pg_database WHERE datname = 'copilot'") == "(1,)"
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_server_dies_with_its_starter(state: Path) -> None:
    script = (
        "import sys, os; from pathlib import Path; from copilot_project.embedded import Postgres, Redis\n"
        "s = Path(sys.argv[1]); Postgres(s, volatile=True).start(); Redis(s).start()\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(state)], cwd=CHECKOUT, check=False)
    pause = threading.Event()
    postgres, redis_server = Postgres(state), Redis(state)
    deadline = time.monotonic() + 120
    while postgres.ready() or redis_server.ready():
        assert time.monotonic() < deadline, "a server outlived the process that started it"
        pause.wait(0.05)


def test_folder_of_somebody_else_is_refused_untouched(state: Path) -> None:
    (state / "postgres").mkdir(parents=True)
    (state / "postgres" / "thesis.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match="not made by CoPilot: move it away, or set COPILOT_STATE_DIR"):
        Postgres(state).start()
    assert [path.name for path in (state / "postgres").iterdir()] == ["thesis.txt"]


def test_data_of_another_postgres_version_names_both_versions(state: Path, start: StartPostgres) -> None:
    server = start(state)
    server.stop()
    (server.data / "PG_VERSION").write_text("13\n")
    with pytest.raises(
        EmbeddedError, match=r"made by PostgreSQL 13, the programs are version \d+: set PG_BINDIR"
    ):
        server.start()


def test_data_owned_by_another_user_is_refused(state: Path, start: StartPostgres) -> None:
    server = start(state)
    server.account = pwd.getpwnam("daemon")
    with pytest.raises(EmbeddedError, match="run as its owner, or set COPILOT_STATE_DIR"):
        server._refuse_foreign_data()


def test_damaged_data_points_at_the_log_and_says_what_to_do(state: Path, start: StartPostgres) -> None:
    server = start(state)
    server.stop()
    (server.data / "global" / "pg_control").write_bytes(b"\0" * 8192)
    with pytest.raises(EmbeddedError, match="restore the folder from a backup, or move") as refused:
        server.start()
    assert str(server.log) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_data_without_its_version_file_is_called_damaged(state: Path, start: StartPostgres) -> None:
    server = start(state)
    server.stop()
    (server.data / "PG_VERSION").unlink()
    with pytest.raises(EmbeddedError, match="damaged or not a PostgreSQL folder"):
        server.start()


def test_interrupted_initdb_is_begun_again(state: Path, start: StartPostgres) -> None:
    server = start(state)
    server.stop()
    server.data.rename(server.folder / "data.new")
    start(state)
    assert ask(state, "SELECT 1") == "(1,)"


@pytest.mark.parametrize("service", [Postgres, Redis])
def test_state_folder_that_cannot_be_made_says_so(tmp_path: Path, service: type[Postgres | Redis]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        EmbeddedError, match=r"cannot write to the state folder .*set COPILOT_STATE_DIR to a folder"
    ):
        service(tmp_path / "file" / "below").start()


def test_read_only_state_folder_says_so(state: Path) -> None:
    state.mkdir(parents=True, mode=0o500)
    user = os.geteuid()
    if user == 0:  # who may write everywhere
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        with pytest.raises(EmbeddedError, match="cannot write to the state folder"):
            Postgres(state).start()
    finally:
        os.seteuid(user)


def test_deep_state_folder_keeps_its_sockets_short(state: Path, start: StartPostgres) -> None:
    deep = state / ("d" * 60) / ("e" * 60)
    server = start(deep)
    assert ask(deep, "SELECT 1") == "(1,)"
    assert len(os.fsencode(redis_socket(deep))) <= 107
    assert server.run != deep / "postgres" / "run"
    shutil.rmtree(postgres_socket_dir(deep).parent)


def test_short_socket_folder_of_a_stranger_is_refused(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"copilot-{os.geteuid()}").symlink_to(elsewhere)
    with pytest.raises(EmbeddedError, match="belongs to somebody else"):
        Redis(state / ("d" * 110)).start()


def test_redis_keeps_its_keys_over_kill_nine_and_never_evicts(state: Path) -> None:
    first = Redis(state)
    first.start()
    client = redis.Redis.from_url(redis_url(state))
    client.set("kept", "7")
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("port") == {"port": "0"}
    os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
    second = Redis(state)
    while second.ready():
        pass
    second.start()
    try:
        assert client.get("kept") == b"7"
    finally:
        second.stop()


def test_damaged_redis_file_says_what_to_do(state: Path) -> None:
    server = Redis(state)
    server.start()
    server.stop()
    (server.folder / "appendonly.aof").write_bytes(b"rubbish\r\n" * 50)
    with pytest.raises(EmbeddedError, match=r"Redis does not start on .*begin with an empty queue"):
        server.start()


def test_state_dir_differs_between_checkouts_and_obeys_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COPILOT_STATE_DIR", raising=False)
    ours = state_dir()
    monkeypatch.setattr("copilot_project.embedded.state.CHECKOUT", Path("/elsewhere") / CHECKOUT.name)
    theirs = state_dir()
    assert ours != theirs
    assert ours.name.rsplit("-", 1)[0] == theirs.name.rsplit("-", 1)[0] == CHECKOUT.name
    monkeypatch.setenv("COPILOT_STATE_DIR", "/somewhere/else")
    assert state_dir() == Path("/somewhere/else")


def test_missing_programs_say_how_to_get_them(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BINDIR", "/nonexistent")
    with pytest.raises(EmbeddedError, match=r"no PostgreSQL programs found: run `make setup`"):
        Postgres(state)

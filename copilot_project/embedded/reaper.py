"""Outlives a supervisor that was killed, by just long enough to end what it had started.

Run as a script of its own: the supervisor writes `+<process group>` and `-<process group>` lines to our
standard input. Its end means that the supervisor is gone; the kernel has by then told its children to stop,
but not theirs.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

GRACE_SECONDS = 8.0


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups = read_groups(sys.stdin)
    deadline = time.monotonic() + GRACE_SECONDS
    while (groups := living_groups(groups)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


def read_groups(lines: Iterable[str]) -> set[int]:
    """The groups that were announced and not withdrawn when the lines ended."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def living_groups(groups: set[int]) -> set[int]:
    """Those with a member that is no zombie: where process 1 does not reap, zombies stay for ever."""
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group, *_ = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it ended while we looked
        if state != "Z" and int(group) in groups:
            found.add(int(group))
    return found


if __name__ == "__main__":
    main()

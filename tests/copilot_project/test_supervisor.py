"""Real processes: small scripts under a supervisor that is itself a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_project.embedded.reaper import living_groups, read_groups
from copilot_project.embedded.state import CHECKOUT

pytestmark = pytest.mark.process

RUNNER = """
import asyncio, sys
from pathlib import Path
from copilot_project.embedded.process import Process
from copilot_project.supervisor import StartError, StopRequestedError, Supervisor

async def main():
    async with Supervisor() as supervisor:
        try:
            for number, script in enumerate(sys.argv[1:]):
                process = Process(f"child{number}", [sys.executable, "-uc", script], grace_seconds=1)
                await supervisor.start(process)
            print("all started", flush=True)
            await supervisor.wait()
        except StartError as error:
            print(error, flush=True)
        except StopRequestedError:
            print("stopped early", flush=True)
asyncio.run(main())
"""
SLEEPER = "import time; print('hello', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
# Its child ignores everything: only a SIGKILL of the family ends it.
PARENT = (
    "import subprocess, sys, time\n"
    f"p = subprocess.Popen([sys.executable, '-uc', {STUBBORN!r}])\n"
    "print('grandchild', p.pid, flush=True)\ntime.sleep(600)"
)


class Run:
    """A supervisor process and what it has said so far."""

    def __init__(self, *scripts: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, *scripts], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []

    def until(self, *words: str) -> str:
        """Read on until each of the words was said, in any order; the line that said the first of them."""
        said: dict[str, str] = {}
        for line in self.process.stdout or ():
            self.lines.append(line.rstrip())
            said |= {word: line.rstrip() for word in words if word in line}
            if len(said) == len(words):
                return said[words[0]]
        raise AssertionError(f"{words} were not all said: {self.lines}")

    def children(self) -> set[int]:
        """Process groups that it has started, without the reaper's."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        pids = {int(pid) for task in tasks for pid in task.read_text().split()}
        return {pid for pid in pids if b"reaper.py" not in Path(f"/proc/{pid}/cmdline").read_bytes()}


def eventually_empty(groups: set[int]) -> bool:
    deadline = time.monotonic() + 120
    while living_groups(groups) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not living_groups(groups)


@pytest.fixture
def run() -> Iterator[type[Run]]:
    runs: list[Run] = []

    class Recorded(Run):
        def __init__(self, *scripts: str) -> None:
            super().__init__(*scripts)
            runs.append(self)

    yield Recorded
    for started in runs:
        started.process.kill()
        started.process.wait()


def test_lines_carry_the_name_of_their_process_and_no_colour_in_a_pipe(run: type[Run]) -> None:
    assert run(SLEEPER).until("hello") == "child0   | hello"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_all_and_leaves_nothing(run: type[Run], number: signal.Signals) -> None:
    running = run(SLEEPER, PARENT)
    running.until("grandchild")
    groups = running.children()
    assert len(groups) == 2
    running.process.send_signal(number)
    assert running.process.wait(120) == 0
    assert living_groups(groups) == set()


def test_kill_nine_of_the_supervisor_leaves_not_even_grandchildren(run: type[Run]) -> None:
    running = run(SLEEPER, PARENT, STUBBORN)
    running.until("deaf")
    running.until("deaf")
    groups = running.children()
    assert len(groups) == 3
    running.process.kill()
    assert eventually_empty(groups)


def test_dead_child_starts_again_and_its_family_is_ended_first(run: type[Run]) -> None:
    running = run(PARENT)
    # A child that leaves before the supervisor has seen it run is a failed start, told otherwise.
    grandchild = int(running.until("grandchild", "all started").split()[-1])
    (child,) = running.children()
    os.kill(child, signal.SIGKILL)
    assert "left with signal SIGKILL; starts again in 0.5 s" in running.until("left with")
    again = int(running.until("grandchild").split()[-1])
    assert again != grandchild
    assert eventually_empty({child})


def test_child_that_never_stays_ends_the_start_with_a_reason() -> None:
    script = RUNNER.replace("supervisor.start(process)", "supervisor.start(process, ready=lambda: False)")
    command = [sys.executable, "-c", script, "raise SystemExit(3)"]
    failed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False)
    assert failed.stdout == "child0 left 3 times before it was ready, with status 3: see what it wrote\n"


def test_stubborn_child_is_killed_after_its_grace(run: type[Run]) -> None:
    running = run(STUBBORN)
    running.until("deaf")
    groups = running.children()
    running.process.terminate()
    assert "did not stop in 1 s: killed" in running.until("did not stop")
    running.process.wait(120)
    assert living_groups(groups) == set()


def test_second_run_is_refused_in_one_line_while_the_first_lives(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from copilot_project.embedded.run_lock import only_run\n"
        "with only_run(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert (first.stdout or sys.stdin.buffer).readline() == b"held\n"
        second = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert (
            f"CoPilot already runs from this checkout as process {first.pid}"
            in second.stderr.splitlines()[-1]
        )
        first.kill()
    third = subprocess.check_output(command, cwd=CHECKOUT, text=True, stdin=subprocess.DEVNULL)
    assert third == "held\n"


def test_reaper_forgets_groups_that_were_withdrawn() -> None:
    assert read_groups(["+10\n", "+11\n", "-10\n", "+12\n"]) == {11, 12}

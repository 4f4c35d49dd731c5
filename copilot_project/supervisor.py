"""Runs processes in one terminal: labels their lines, restarts what died, leaves nothing behind."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO, TypeVar

from copilot_project.embedded import reaper
from copilot_project.embedded.process import Process

T = TypeVar("T")
ANSI = re.compile(r"\x1b\[[0-9;]*m")  # colours that a child chose itself
COLOURS = (36, 32, 33, 35, 34, 96, 92, 93)
FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0
HEALTHY_SECONDS = 30.0
ATTEMPTS = 3
LABEL_WIDTH = 8


class StartError(Exception):
    """A process left again and again before it was ready."""


class StopRequestedError(Exception):
    """Ctrl-C or SIGTERM came while something was still being started."""


@dataclass
class Child:
    """A process that is kept running; `exits` counts how often it left, `status` is how the last time."""

    process: Process
    colour: int
    exits: int = 0
    status: int = 0
    was_ready: bool = False
    running: "subprocess.Popen[bytes] | None" = None
    keeper: asyncio.Task[None] | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Use as `async with`: leaving it stops all children, the latest first.

    Should this process be killed, the kernel signals the direct children, and a reaper ends their families.
    `lock` is a descriptor which the reaper keeps open until then. `longest_delay`: seconds between an exit and
    the next start of what dies again and again.
    """

    def __init__(
        self, *, out: TextIO | None = None, lock: int | None = None, longest_delay: float = LONGEST_DELAY
    ) -> None:
        self._out = out or sys.stdout
        self._lock = lock
        self._longest_delay = longest_delay
        self.children: list[Child] = []
        self._colours = cycle(COLOURS)
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        self._reaper = start_reaper(self._lock)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self.children):
            await self._end(child)
        if self._reaper.stdin:
            self._reaper.stdin.close()
        self._reaper.wait()

    async def start(self, process: Process, *, ready: Callable[[], bool] | None = None) -> None:
        """Start a process and keep it running; return when `ready` says so.

        Raises StartError when it left `ATTEMPTS` times before, StopRequestedError when a stop was asked for.
        """
        child = Child(process, next(self._colours))
        self.children.append(child)
        child.keeper = asyncio.create_task(self._keep(child))
        while not (child.running and (ready is None or await asyncio.to_thread(ready))):
            if child.keeper.done():
                child.keeper.result()  # raises what kept the program from being executed
            if child.exits >= ATTEMPTS:
                raise StartError(
                    f"{process.name} left {child.exits} times before it was ready, with {describe(child.status)}: "
                    "see what it wrote"
                )
            await self.unless_stopped(asyncio.sleep(0.05))
        child.was_ready = True

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; raises StopRequestedError as soon as a stop was asked for."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                raise StopRequestedError
            return task.result()
        finally:
            task.cancel()
            stop.cancel()

    async def wait(self) -> None:
        """Return when somebody asks to stop."""
        await self._stop.wait()

    def say(self, label: str, line: str, colour: int = 0) -> None:
        """Write one labelled line."""
        label = f"{label:<{LABEL_WIDTH}} |"
        if not self._out.isatty():
            line = ANSI.sub("", line)
        elif colour:
            label = f"\x1b[{colour}m{label}\x1b[0m"
        try:
            print(label, line, file=self._out, flush=True)
        except BrokenPipeError:  # nobody reads us any more
            self._stop.set()

    async def _keep(self, child: Child) -> None:
        delay, loop = FIRST_DELAY, asyncio.get_running_loop()
        while not child.stopping.is_set():
            began = loop.time()
            child.status = await self._run(child)
            child.exits += 1
            if child.stopping.is_set():
                return
            delay = FIRST_DELAY if loop.time() - began > HEALTHY_SECONDS else delay
            if child.was_ready:  # else `start` reports it
                again = f"left with {describe(child.status)}; starts again in {delay:g} s"
                self.say(child.process.name, again, 31)
            with suppress(TimeoutError):
                await asyncio.wait_for(child.stopping.wait(), delay)
            delay = min(delay * 2, self._longest_delay)

    async def _run(self, child: Child) -> int:
        """One life of the child: from its start until nothing of it is left."""
        process = child.process
        with output_of(process) as sink:
            running = subprocess.Popen(  # noqa: S603
                process.command, stdout=sink, stderr=subprocess.STDOUT, **process.popen_options()
            )
        self._tell_reaper(f"+{running.pid}")
        child.left.clear()
        child.running = running
        reading = asyncio.create_task(self._relay(child, running))
        await exit_of(running)
        kill_group(running.pid)  # what it started itself must not go on without it
        self._tell_reaper(f"-{running.pid}")
        await reading
        child.running = None
        child.left.set()
        return running.wait()

    async def _relay(self, child: Child, running: "subprocess.Popen[bytes]") -> None:
        if running.stdout is None:
            return
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), running.stdout)
        rest = b""
        while block := await stream.read(65536):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                self.say(child.process.name, line.decode(errors="replace"), child.colour)
        if rest:
            self.say(child.process.name, rest.decode(errors="replace"), child.colour)

    async def _end(self, child: Child) -> None:
        child.stopping.set()
        if running := child.running:
            running.send_signal(child.process.stop_signal)
            try:
                await asyncio.wait_for(child.left.wait(), child.process.grace_seconds)
            except TimeoutError:
                self.say(child.process.name, f"did not stop in {child.process.grace_seconds:g} s: killed", 31)
                kill_group(running.pid)
        if child.keeper:
            await child.keeper

    def _tell_reaper(self, line: str) -> None:
        if self._reaper.stdin:
            with suppress(BrokenPipeError):  # without a reaper the kernel's signal to each child remains
                self._reaper.stdin.write(f"{line}\n".encode())
                self._reaper.stdin.flush()


async def exit_of(running: "subprocess.Popen[bytes]") -> None:
    """Return when the process itself has ended; asyncio would wait for its children's output, too."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(running.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    running.wait()


def start_reaper(lock: int | None) -> "subprocess.Popen[bytes]":
    """Start the reaper in a session of its own, so that Ctrl-C does not reach it."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", str(Path(reaper.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=[] if lock is None else [lock],
        cwd="/",
    )


@contextmanager
def output_of(process: Process) -> Iterator[int]:
    """Where a process writes: into its log file, or to us."""
    if process.log is None:
        yield subprocess.PIPE
    else:
        with open(process.log, "ab") as sink:
            yield sink.fileno()


def kill_group(group: int) -> None:
    """End every process of the group at once; it may be empty."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def describe(status: int) -> str:
    """An exit status in words: `status 1`, `signal SIGKILL`."""
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"

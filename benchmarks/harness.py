"""What the benchmarks share: contenders in turn, a Postgres of their own, the machine's name, sections of a page."""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))


@dataclass
class Contender:
    """One way to do the work over `bars` rows, candles or messages; `before` is not timed."""

    name: str
    run: Callable[[], object]
    bars: int
    before: Callable[[], object] = lambda: None
    seconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.bars / statistics.median(self.seconds)


@contextmanager
def fresh_database() -> Iterator[None]:
    """Our embedded Postgres in a new folder, migrated, behind Django's settings."""
    from copilot_project.embedded import Postgres, database_url  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="copilot-benchmark-") as folder:
        Path(folder).chmod(0o755)
        os.environ |= {"COPILOT_STATE_DIR": folder, "DATABASE_URL": database_url(Path(folder))}
        os.environ["DJANGO_SETTINGS_MODULE"] = "copilot_project.settings"
        server = Postgres(Path(folder))
        server.start()
        try:
            import django  # noqa: PLC0415
            from django.core.management import call_command  # noqa: PLC0415

            django.setup()
            call_command("migrate", verbosity=0, skip_checks=True)
            yield
        finally:
            from django.db import connection  # noqa: PLC0415

            connection.close_pool()
            server.stop()


def interleave(contenders: list[Contender], rounds: int) -> None:
    """One run of each in turn, so that a slow moment of the machine hits all alike; the first round warms up."""
    for number in range(rounds + 1):
        for contender in contenders:
            contender.before()
            begun = time.perf_counter()
            contender.run()
            if number:
                contender.seconds.append(time.perf_counter() - begun)
        print(f"round {number} of {rounds}", file=sys.stderr)


def verdict(text: str, factor: float, goal: float) -> str:
    return goal_line(f"{text}: **{factor:.1f} ×**, goal {goal:g} ×", reached=factor >= goal)


def goal_line(text: str, *, reached: bool) -> str:
    return f"- {text}: {'reached' if reached else 'MISSED'}"


def write_section(path: Path, section: str, begin: str, end: str) -> None:
    """Replace the section between these two lines, which it holds itself, or append it."""
    text = path.read_text() if path.exists() else ""
    before, found, rest = text.partition(begin)
    after = rest.partition(end)[2].lstrip("\n") if found else ""
    path.write_text(before.rstrip("\n") + "\n\n" + section + ("\n" + after if after else ""))


def commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"


def machine() -> str:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ":")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{cpu.split(':')[1].strip() or platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"load {load:.1f}, {platform.system()}, Python {platform.python_version()}, numpy {np.__version__}"
    )

"""What both experiments stand on: services of their own, and the written result."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from copilot_project.embedded import Postgres, Redis, database_url, redis_url

REPOSITORY = Path(__file__).resolve().parents[2]
BOOK = REPOSITORY / "docs" / "reliability.md"
# Read before the run: a commit made meanwhile is not the code that ran.
COMMIT = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, text=True).strip()


@contextmanager
def services() -> Iterator[Path]:
    """A Postgres and a Redis that die with this run, and the environment that names them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything here is unwound
    state = Path(tempfile.mkdtemp(prefix="copilot-chaos-"))
    os.environ |= {
        "COPILOT_STATE_DIR": str(state),
        "DATABASE_URL": database_url(state),
        "REDIS_URL": redis_url(state),
        "DJANGO_SETTINGS_MODULE": "copilot_project.settings",
    }
    state.chmod(0o711)
    postgres, redis = Postgres(state, volatile=True), Redis(state)
    try:
        postgres.start()
        redis.start()
        yield state
    finally:
        redis.stop()
        postgres.stop()
        shutil.rmtree(state, ignore_errors=True)


def write_result(chapter: str, arguments: Sequence[str], figures: Mapping[str, Any]) -> None:
    """Replace the lines between the chapter's two marks in docs/reliability.md by what was measured here."""
    rows = [f"| {name.replace('_', ' ')} | {value} |" for name, value in figures.items()]
    head = f"`{' '.join(['python -m', f'tests.chaos.{chapter}', *arguments])}`, {_circumstances()}."
    text = "\n".join([head, "", "| | |", "|---|--:|", *rows])
    before, begin, rest = BOOK.read_text().partition(f"<!-- {chapter} -->\n")
    _, end, after = rest.partition(f"<!-- end of {chapter} -->\n")
    if not begin or not end:
        raise ValueError(
            f"{BOOK.name} lacks the marks of {chapter}: <!-- {chapter} --> and <!-- end of {chapter} -->"
        )
    BOOK.write_text(f"{before}{begin}{text}\n{end}{after}")


def _circumstances() -> str:
    system = f"{platform.system()}, Python {platform.python_version()}"
    load = f"load {os.getloadavg()[1]:.1f} over the last five minutes"
    machine = f"{os.cpu_count()} cores shared with other work, {load}, {system}"
    return f"commit {COMMIT}, {datetime.now(UTC):%Y-%m-%d}, {machine}"

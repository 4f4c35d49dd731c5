"""What the workers of one session share: of several, one compiles the engines and one migrates, the others wait."""

import fcntl
import importlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections

from copilot_project.embedded import Postgres

# Whatever else is compiled is compiled with these.
COMPILED = ("autopilot.engine.simulator", "autopilot.engine.sweep", "signals.engine.fill.batch")


class Shared:
    """A folder that the controller makes and its workers know."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "data"

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        with (self.folder / name).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def compile(self) -> None:
        """In a new checkout this takes a minute of one processor, and would take it of each."""
        with self.alone("compiling"):
            for module in COMPILED:
                importlib.import_module(module)

    def take_database(self, postgres: Postgres) -> None:
        """Start it with what another worker migrated, if one did."""
        if self.database.exists():
            postgres._make_folders()
            _copy(self.database, postgres.data)
        postgres.start()

    def give_database(self, postgres: Postgres) -> None:
        """Leave a copy to the others, unless it is one."""
        if self.database.exists():
            return
        connections.close_all()
        connections["default"].close_pool()  # type: ignore[attr-defined]  # Postgres's own
        postgres.stop()
        _copy(postgres.data, self.folder / "data.new")
        (self.folder / "data.new").rename(self.database)
        postgres.start()


def shared(config: pytest.Config) -> Shared | None:
    """None in a session of one process."""
    folder = getattr(config, "workerinput", {}).get("copilot_shared")
    return Shared(Path(folder)) if folder else None


def share(node: object, folder: Path) -> None:
    """Tell a worker that is about to start."""
    folder.mkdir(parents=True, exist_ok=True)
    node.workerinput["copilot_shared"] = str(folder)  # type: ignore[attr-defined]


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", source, target], check=True)  # with owners: root's server is another user's

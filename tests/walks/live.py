"""`python -m tests.walks.live`: live trading in `manage.py up`, in Chromium, against the sandbox's exchange.

Two persons arm an account, an order is traded with its stop, one click halts; an exit and a comparison end it.
The pictures go to docs/, and the account's canary keys are looked for in logs, database and metrics.
"""

import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
import httpx

from tests.chaos.processes import running
from tests.chaos.services import REPOSITORY
from tests.ports import free_port

PATIENCE_SECONDS = 600.0
NAMES = ("WEB_PORT", "SANDBOX_PORT", "WORKER_METRICS_PORT", "SENDER_METRICS_PORT")


def main() -> int:
    chromium = shutil.which("chromium")
    if not chromium:
        raise SystemExit("no browser: install Debian's package chromium")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    ports = {name: str(free_port()) for name in NAMES}
    with state_folder() as state:
        os.environ |= ports | {
            "COPILOT_STATE_DIR": str(state),
            "DJANGO_SETTINGS_MODULE": "copilot_project.settings",
            "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
        }
        log = state / "up.log"
        with running(["manage.py", "up", "--no-demo"], log):
            wait_until(lambda: b"CoPilot is ready" in log.read_bytes(), "manage.py up")
            django.setup()
            from tests.walks.live_steps import Walk  # noqa: PLC0415  (settings read the environment just made)

            figures = Walk(Path(chromium), state, ports).run()
            figures["canary_hits"] |= {"logs": hits_in(figures.pop("canaries"), [log, *state.rglob("*.log")])}
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    return int(any(figures["canary_hits"].values()))


@contextmanager
def state_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="copilot-walk-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.5)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")


def hits_in(canaries: list[str], files: list[Path]) -> int:
    return sum(
        len(re.findall(re.escape(canary), path.read_text(errors="replace")))
        for path in files
        for canary in canaries
    )


def metrics_of(ports: dict[str, str]) -> str:
    addresses = [f"http://127.0.0.1:{ports[name]}/metrics" for name in NAMES if name != "SANDBOX_PORT"]
    return "".join(httpx.get(each, timeout=60).raise_for_status().text for each in addresses)


if __name__ == "__main__":
    os.chdir(REPOSITORY)
    sys.exit(main())

"""The processes that one machine runs, as `manage.py up` starts them."""

import os
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from copilot_project.command_line import EXECUTOR_VARIABLE, OWNER_VARIABLE
from copilot_project.embedded.checks import Port
from copilot_project.embedded.process import Process
from copilot_project.embedded.state import CHECKOUT

PYTHON = sys.executable
# What libpq reads as PGOPTIONS. Migrations, and what is run in a terminal beside, may take their time.
STATEMENTS_END = "-c statement_timeout=60s"
# A stop waits for calls under way, of which the longest is one of Telegram's (22 s): cut off they would be repeated.
GRACE_SECONDS = 30.0
# Outside production whitenoise finds static files where they are and streams them; both are as intended.
QUIET_WEB = "ignore:No directory at,ignore:StreamingHttpResponse must consume"
QUIET_WORKER = "ignore:You're running the worker with superuser privileges"
# torch and a year of hourly candles of every instrument fit; docker-compose.yml gives the container twice as much.
TRAINING_CHILD_KIB = 2_000_000


def ports_of(web: int, sandbox: int | None) -> list[Port]:
    """Every port that the processes will listen on."""
    ports = [
        Port(web, "web", "WEB_PORT"),
        Port(settings.WORKER_METRICS_PORT, "metrics of the worker", "WORKER_METRICS_PORT"),
        Port(settings.SENDER_METRICS_PORT, "metrics of the sender", "SENDER_METRICS_PORT"),
    ]
    return ports if sandbox is None else [*ports, Port(sandbox, "sandbox", "SANDBOX_PORT")]


def environment(web_port: int) -> dict[str, str]:
    """What every child inherits."""
    defaults = {"PUBLIC_URL": settings.PUBLIC_URL if web_port == 8000 else f"http://127.0.0.1:{web_port}"}
    # One thread per process for numpy's libraries: the processes share the cores.
    ours = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "PGOPTIONS": STATEMENTS_END}
    ours["COPILOT_STARTED_AT"] = datetime.now(UTC).isoformat()
    if sys.stdout.isatty():
        ours["FORCE_COLOR"] = "1"  # we pass their lines on to a terminal
    inherited = {
        name: value for name, value in os.environ.items() if name not in (OWNER_VARIABLE, EXECUTOR_VARIABLE)
    }
    return {**defaults, **inherited, **ours}


def sandbox(env: Mapping[str, str], port: int) -> Process:
    """The stand-ins for the exchange, Telegram and Google."""
    told = {
        "PUBLIC_URL": env["PUBLIC_URL"],
        "TELEGRAM_BOT_TOKEN": settings.TELEGRAM_BOT_TOKEN,
        "TELEGRAM_WEBHOOK_SECRET": settings.TELEGRAM_WEBHOOK_SECRET,
    }
    state = settings.STATE_DIR / "sandbox"
    command = [PYTHON, "-m", "copilot_project.sandbox", "--port", str(port), "--state", str(state)]
    return Process("sandbox", command, env={**env, **told}, cwd=CHECKOUT)


def web(env: Mapping[str, str], port: int) -> Process:
    """Console, API and webhook."""
    command = [PYTHON, "-m", "granian", "--interface", "asginl", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--log-level", "warning", "copilot_project.asgi:application"]
    return Process("web", command, env={**env, "PYTHONWARNINGS": QUIET_WEB}, cwd=CHECKOUT)


def worker(env: Mapping[str, str]) -> Process:
    """Fetches candles and decides; its children count metrics in files, which begin at zero."""
    metrics = empty_folder(settings.STATE_DIR / "metrics" / "worker")
    command = [
        *celery(),
        "worker",
        "-Q",
        "celery,market,signals",
        "-c",
        "2",
        "--without-mingle",
        "-l",
        "INFO",
    ]
    own = {
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONWARNINGS": QUIET_WORKER,
    }
    return Process("worker", command, env={**env, **own}, cwd=CHECKOUT, grace_seconds=GRACE_SECONDS)


def training_worker(env: Mapping[str, str]) -> Process:
    """Trains, tests and replays; its one child is replaced when a job has left it too large."""
    command = [*celery(), "worker", "-n", "training@%h", "-Q", "training,research", "-c", "1"]
    command += ["--max-memory-per-child", str(TRAINING_CHILD_KIB), "--without-mingle", "-l", "INFO"]
    # Long statements are its trade.
    own = {"PGOPTIONS": "", "PYTHONWARNINGS": QUIET_WORKER}
    return Process("training-worker", command, env={**env, **own}, cwd=CHECKOUT, grace_seconds=GRACE_SECONDS)


def beat(env: Mapping[str, str]) -> Process:
    """The clock of the schedule; without a pid file, which a kill would leave behind."""
    return Process("beat", [*celery(), "beat", "--pidfile=", "-l", "INFO"], env=env, cwd=CHECKOUT)


def sender(env: Mapping[str, str]) -> Process:
    """Sends what is due to Telegram."""
    command = [PYTHON, "manage.py", "send_deliveries"]
    return Process("sender", command, env=env, cwd=CHECKOUT, grace_seconds=GRACE_SECONDS)


def executor(env: Mapping[str, str]) -> Process:
    """Sends orders of live accounts; it waits where there is none."""
    command = [PYTHON, "manage.py", "execute_orders"]
    return Process("executor", command, env=env, cwd=CHECKOUT, grace_seconds=GRACE_SECONDS)


def celery() -> list[str]:
    return [PYTHON, "-m", "celery", "-A", "copilot_project", "--quiet"]


def empty_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder

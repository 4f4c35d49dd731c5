"""What a story needs around it: a server of its own, the stand-ins at the plot's time, and whoever tells it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from copilot_project.config import SANDBOX_BOT_TOKEN, SANDBOX_WEBHOOK_SECRET
from copilot_project.embedded import EmbeddedError, Postgres, checks, database_url
from copilot_project.embedded.process import Process
from copilot_project.embedded.state import CHECKOUT
from copilot_project.sandbox.config import SandboxError
from copilot_project.sandbox.market.bars import Market
from copilot_project.sandbox.market.recorded import RecordedMarket
from copilot_project.sandbox.market.simulated import SimulatedMarket
from copilot_project.story.clock import DATABASE, make_database
from copilot_project.story.plot import Plot, find_plot
from copilot_project.story.telling import CHAT_ID

SEED = 7
READY_SECONDS = 60.0
BEFORE_MS = (
    3 * 3_600_000
)  # so long before the close that decides the stand-ins begin: a slow machine is not too late


class StagingError(Exception):
    """The story could not be told; the message says why."""


@contextmanager
def story(*, data: Path | None, port: int | None, say: Callable[[str], None]) -> Iterator[str]:
    """Tell it; the value is the address of its chat, which stays as long as the block."""
    try:
        market = RecordedMarket(data) if data else SimulatedMarket(SEED)
    except SandboxError as error:
        raise StagingError(str(error)) from error
    plot, label = find_plot(market), label_of(market, data)
    say(f"{label}. {plot.symbol}, {day(plot.decided_at)} to {day(plot.exited_at)}.")
    state = settings.STATE_DIR / "story"
    port = port or checks.free_port()
    server = Postgres(state, volatile=True)
    try:
        server.start()
    except EmbeddedError as error:
        raise StagingError(str(error)) from error
    try:
        url = database_url(state, DATABASE)
        make_database(database_url(state), url)
        env = environment(state, url, port)
        run([sys.executable, "manage.py", "migrate", "--verbosity", "0", "--no-input"], env)
        with stand_ins(state, env, plot, data, port):
            told = [sys.executable, "-m", "copilot_project.story", json.dumps(plot.as_json()), label]
            run(told, env)
            yield f"http://127.0.0.1:{port}/?chat={CHAT_ID}"
    finally:
        server.stop()


def label_of(market: Market, data: Path | None) -> str:
    if data is None:
        return f"Simulated candles of the sandbox (seed {SEED})"
    return f"Recorded candles of {data.name}"


def day(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%Y-%m-%d}"


def environment(state: Path, url: str, port: int) -> dict[str, str]:
    """Whatever is set outside, the story speaks to its own database and stand-ins alone."""
    address = f"http://127.0.0.1:{port}"
    own = {
        "COPILOT_STATE_DIR": str(state),
        "COPILOT_ENV": "development",
        "DATABASE_URL": url,
        "DATABASE_OWNER_URL": url,
        "REDIS_URL": "",
        "SANDBOX": "true",
        "SANDBOX_PORT": str(port),
        "EXCHANGE_API_URL": f"{address}/binance",
        "TELEGRAM_API_URL": address,
        "TELEGRAM_BOT_TOKEN": SANDBOX_BOT_TOKEN,
        "TELEGRAM_WEBHOOK_SECRET": SANDBOX_WEBHOOK_SECRET,
        "PUBLIC_URL": address,
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **own}


def run(command: list[str], env: dict[str, str]) -> None:
    """In the checkout, its lines in this terminal. StagingError where it fails."""
    if subprocess.run(command, cwd=CHECKOUT, env=env, check=False).returncode:  # noqa: S603
        raise StagingError(f"`{' '.join(command[1:4])}` failed; what it wrote stands above.")


@contextmanager
def stand_ins(state: Path, env: dict[str, str], plot: Plot, data: Path | None, port: int) -> Iterator[None]:
    """The sandbox, its clock at the plot's beginning, with chats of its own."""
    folder = state / "sandbox"
    shutil.rmtree(folder, ignore_errors=True)
    start = datetime.fromtimestamp((plot.decided_at - BEFORE_MS) / 1000, UTC).isoformat()
    command = [sys.executable, "-m", "copilot_project.sandbox", "--port", str(port), "--state", str(folder)]
    command += ["--time", "recorded", "--start", start, "--seed", str(SEED), "--webhook-url", ""]
    command += ["--data", str(data)] if data else []
    own = {name: value for name, value in env.items() if name not in ("SANDBOX_DATA", "PUBLIC_URL")}
    log = state / "sandbox.log"
    process = Process("sandbox", command, env=own, cwd=CHECKOUT, log=log).popen()
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not checks.answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise StagingError(f"the sandbox does not start; its log is {log}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()

"""How a command ends when something outside it fails: one line, no traceback, no colours."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[2]


def manage(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=REPOSITORY,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_database_that_is_down_costs_a_line() -> None:
    process = manage("load_tiers", DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert said.startswith("The database refuses or does not answer:")
    assert said.count("\n") == 1


def test_ctrl_c_costs_a_line() -> None:
    # A shell that starts its jobs in the background has them ignore Ctrl-C.
    wait = "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler); "
    wait += "print('waiting', flush=True); time.sleep(60)"
    process = manage("shell", "-c", wait)
    assert process.stdout
    while "waiting" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == "Stopped."


def test_unknown_command_costs_no_traceback_and_no_colours() -> None:
    process = manage("no_such_command")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "\x1b" not in said

"""How commands end: in one line, whatever happens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
NOWHERE = "postgresql://copilot@127.0.0.1:9/none"
FILE = "date,open,high,low,close\n2020-01-01,1,2,1,1\n2020-01-02,1,2,1,1\n"


def command(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    # What starts its children in the background lets them ignore an interrupt; a terminal does not.
    interrupts = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)"
    become = "import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    return subprocess.Popen(
        [sys.executable, "-c", f"{interrupts}; {become}", "manage.py", *arguments],
        cwd=REPOSITORY,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_database_that_is_down_costs_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(FILE)
    asked = ("--exchange", "gemini", "--symbol", "BTC/USD")
    process = command("import_candles", str(path), *asked, DATABASE_URL=NOWHERE)
    out, error = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert error.startswith("CommandError: The database does not answer (")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("import_candles", "/nowhere.csv"), "CommandError: /nowhere.csv: no such file"),
        (
            ("backfill", "A/B", "--timeframe", "1h", "--from", "2024-02-01", "--to", "2024-01-01"),
            "CommandError: --to 2024-01-01 00:00 is not after --from",
        ),
    ],
)
def test_what_cannot_be_meant_costs_one_line_without_colours(
    arguments: tuple[str, ...], complaint: str
) -> None:
    process = command(*arguments, DATABASE_URL=NOWHERE)
    out, error = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert error.startswith(complaint)
    assert error.count("\n") == 1
    assert "\x1b" not in error


def test_ctrl_c_costs_one_line() -> None:
    process = command("shell", "-v", "0", "-c", "import time; print('begun', flush=True); time.sleep(60)")
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "\nStopped.\n")

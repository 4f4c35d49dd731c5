"""What web and sender must not load: training, drawing and exchange libraries cost seconds and memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from copilot_project.apps import is_pageless

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[2]
TRAINING = ("torch", "stable_baselines3", "lightgbm", "sklearn", "ccxt", "matplotlib", "cvxpy", "skfolio")
FORBIDDEN = (*TRAINING, "numba", "talib", "pandas", "scipy", "pyarrow")
LARGEST_MIB = 150
LOAD_WEB = """
import copilot_project.asgi
from django.urls import get_resolver
assert get_resolver().url_patterns
"""
LOAD_SENDER = """
import django
django.setup()
from notifications.management.commands.send_deliveries import send
assert send
"""
LOAD_BEAT = """
import sys
sys.argv = ["/venv/bin/celery", "beat"]
from copilot_project.celery import app
app.loader.import_default_modules()
from copilot_project import scheduler
assert scheduler and "signals.tasks.evaluate_candle" in app.tasks
"""
HEAVY_IN_A_COMMAND = (*FORBIDDEN, "telegram")
LOAD_COMMAND = """
import sys
sys.argv = ["manage.py", "{command}", "nothing"]
import django
django.setup()
from django.core.management import get_commands, load_command_class
assert load_command_class(get_commands()["{command}"], "{command}")
"""
TELL = f"""
import sys
print(*(name for name in {HEAVY_IN_A_COMMAND!r} if name in sys.modules))
(kib,) = (int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
assert kib <= {LARGEST_MIB} * 1024, f"{{kib / 1024:.0f}} MiB"
"""


@pytest.mark.parametrize(
    ("load", "needed"),
    [(LOAD_WEB, []), (LOAD_SENDER, ["telegram"]), (LOAD_BEAT, [])],
    ids=["web", "sender", "beat"],
)
def test_process_that_answers_sends_or_ticks_loads_no_heavy_library(load: str, needed: list[str]) -> None:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "copilot_project.settings"}

    answer = subprocess.run(
        [sys.executable, "-c", load + TELL],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.split() == needed


@pytest.mark.parametrize("command", ["backfill", "import_candles"])
def test_command_that_only_stores_candles_starts_without_the_decision_code(command: str) -> None:
    tell = f"print(*(name for name in {HEAVY_IN_A_COMMAND!r} if name in sys.modules))"

    answer = subprocess.run(
        [sys.executable, "-c", LOAD_COMMAND.format(command=command) + tell],
        cwd=REPOSITORY,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "copilot_project.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.split() == []


@pytest.mark.parametrize(
    ("arguments", "pageless"),
    [
        (["manage.py", "backfill", "BTC/USDT"], True),
        (["./manage.py", "up", "--help"], True),
        (["manage.py", "up"], False),
        (["manage.py"], False),
        (["/venv/bin/celery", "-A", "copilot_project", "beat"], True),
        (["/site-packages/celery/__main__.py", "-A", "copilot_project", "beat"], True),
        (["granian", "backfill"], False),
        ([], False),
    ],
)
def test_only_a_command_without_pages_leaves_the_admin_out(arguments: list[str], pageless: bool) -> None:
    assert is_pageless(arguments) == pageless

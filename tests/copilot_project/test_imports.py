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
# The sender and what speaks to Telegram at once, and the stress test of the sender.
BIG_COMMANDS = frozenset({"send_deliveries", "poll_telegram", "set_webhook", "stress_test"})
# Each that asks for help, or that is asked wrongly, has loaded its module.
LOAD_COMMANDS = f"""
import sys
sys.argv = ["manage.py", "backfill", "nothing"]
import django
django.setup()
from django.core.management import get_commands, load_command_class
from copilot_project.command_line import OWN_COMMANDS
own = {{name: app for name, app in get_commands().items() if f"{{app}}.".startswith(OWN_COMMANDS)}}
assert len(own) > 30
for name in sorted(own.keys() - {BIG_COMMANDS!r}):
    load_command_class(own[name], name)
    loaded = [each for each in {HEAVY_IN_A_COMMAND!r} if each in sys.modules]
    if loaded:
        print(name, *loaded)
        break
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


@pytest.mark.parametrize(
    "program", ["granian", "/venv/bin/celery", "manage.py"], ids=["web", "beat", "sender"]
)
def test_setup_loads_neither_arrays_nor_an_http_client(program: str) -> None:
    """Half a second of a start: what needs them loads them."""
    load = f"import sys; sys.argv = [{program!r}, 'send_deliveries']; import django; django.setup(); "
    tell = f"print(*(name for name in {(*HEAVY_IN_A_COMMAND, 'numpy', 'requests')!r} if name in sys.modules))"

    answer = subprocess.run(
        [sys.executable, "-c", load + tell],
        cwd=REPOSITORY,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "copilot_project.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.split() == []


def test_a_command_is_there_before_compiled_code_and_exchanges_are_loaded() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", LOAD_COMMANDS],
        cwd=REPOSITORY,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "copilot_project.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.splitlines() == []


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

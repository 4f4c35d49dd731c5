"""What web and sender must not load: training, drawing and exchange libraries cost seconds and memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FORBIDDEN = ("torch", "stable_baselines3", "lightgbm", "sklearn", "ccxt", "matplotlib", "cvxpy", "skfolio")
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
TELL = f"""
import sys
print(*(name for name in {FORBIDDEN!r} if name in sys.modules))
"""


@pytest.mark.parametrize("load", [LOAD_WEB, LOAD_SENDER], ids=["web", "sender"])
def test_process_that_answers_or_sends_loads_no_heavy_library(load: str) -> None:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "copilot_project.settings"}

    answer = subprocess.run(
        [sys.executable, "-c", load + TELL],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.split() == []

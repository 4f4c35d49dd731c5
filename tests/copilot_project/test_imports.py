"""What the web process must not load: training libraries and exchange clients cost seconds and memory."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FORBIDDEN = ("torch", "stable_baselines3", "lightgbm", "sklearn", "ccxt")
LOAD_WEB = f"""
import sys
import copilot_project.asgi
from django.urls import get_resolver
assert get_resolver().url_patterns
print(*(name for name in {FORBIDDEN!r} if name in sys.modules))
"""


def test_web_process_loads_no_training_library_and_no_exchange_client() -> None:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "copilot_project.settings"}

    answer = subprocess.run(
        [sys.executable, "-c", LOAD_WEB],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.split() == []

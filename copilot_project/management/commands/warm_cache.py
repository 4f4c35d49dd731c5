"""`manage.py warm_cache`: compile what live decisions, fills and backtests need, into numba's cache."""

import time
from typing import Any

from django.core.management.base import BaseCommand

BARS = 1_500


class Command(BaseCommand):
    help = (
        "Compile the engines once, over an invented market, so that the first candle does not wait for it. "
        "The cache is where NUMBA_CACHE_DIR says; compiled code is for processors like this one."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        from copilot_project.warming import warm  # noqa: PLC0415  (numba is loaded by whoever asks for it)

        began = time.monotonic()
        trades = warm(bars=BARS)
        self.stdout.write(
            f"compiled in {time.monotonic() - began:.0f} s ({trades} trades of an invented market)"
        )

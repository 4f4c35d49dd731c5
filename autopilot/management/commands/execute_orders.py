"""`manage.py execute_orders`: the process that sends orders of live accounts, until SIGTERM. One at a time."""

import signal
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from autopilot.services.live.intents import INTENT_CHANNEL
from signals.crash_points import arm
from signals.services.liveness import record_heartbeat

logger = structlog.get_logger(__name__)

LOCK = "copilot live executor"
BEAT_SECONDS = 10
PAUSE_SECONDS = 0.25


class Command(BaseCommand):
    help = "Send the orders of live accounts. Long-lived; a second one waits until the first is gone."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="work off what is there, then end")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        arm(settings.COPILOT_CRASH_AT)
        self.is_over = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        while not self.is_over:
            try:
                self._lead(once=once)
            except (OperationalError, InterfaceError) as error:
                logger.warning("the database does not answer", error=" ".join(str(error).split()))
                connection.close()
                time.sleep(1)
            if once:
                return

    def _lead(self, *, once: bool) -> None:
        """Hold the lock of this session while we work: two executors never send."""
        from autopilot.services.executor.loop import Executor  # noqa: PLC0415  (loads ccxt)

        if not self._locked(once=once):
            return
        executor, beaten = Executor(timezone.now), 0.0
        executor.start()
        logger.info("executor leads", live_allowed=settings.LIVE_TRADING_ALLOWED)
        while not self.is_over:
            if time.monotonic() - beaten > BEAT_SECONDS:
                record_heartbeat(name="executor", expected_every_seconds=BEAT_SECONDS, now=timezone.now())
                beaten = time.monotonic()
            did = executor.turn()
            if once and not did:
                return
            if not did:
                self._pause()

    def _locked(self, *, once: bool) -> bool:
        while not self.is_over:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [LOCK])
                if cursor.fetchone()[0]:
                    cursor.execute(f"LISTEN {INTENT_CHANNEL}")
                    return True
            if once:
                raise CommandError("Another executor is at work.")
            time.sleep(1)
        return False

    def _pause(self) -> None:
        """Until an intent is written, or a quarter of a second."""
        wrapped = connection.connection
        if wrapped is None:
            time.sleep(PAUSE_SECONDS)
            return
        for _ in wrapped.notifies(timeout=PAUSE_SECONDS, stop_after=1):
            pass
        for _ in wrapped.notifies(timeout=0):  # the next turn looks for all of them
            pass

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.is_over = True

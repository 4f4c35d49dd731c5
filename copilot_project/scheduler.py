"""Beat's scheduler, with a sign of life: a silent beat is seen even while its process is up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler

from signals.services.liveness import record_heartbeat

EXPECTED_EVERY_SECONDS = 10


class BeatingScheduler(DatabaseScheduler):
    """DatabaseScheduler that leaves the heartbeat `beat` whenever it looks at the schedule.

    It stops between two statements, never inside one: use it in the main thread, which alone handles signals.
    """

    def setup_schedule(self) -> None:
        with stop_deferred():
            super().setup_schedule()

    def tick(self, *args: object, **kwargs: object) -> float:
        with stop_deferred():
            delay: float = super().tick(*args, **kwargs)
            record_heartbeat(name="beat", expected_every_seconds=EXPECTED_EVERY_SECONDS, now=timezone.now())
        return min(delay, EXPECTED_EVERY_SECONDS / 2)

    def sync(self) -> None:
        with stop_deferred():
            super().sync()


@contextmanager
def stop_deferred() -> Iterator[None]:
    """Hold a request to stop back until the block is over.

    Celery's handler writes the schedule to the database. Called in the middle of another statement it
    waits for that statement's connection for ever, or fails, and the scheduler logs that and goes on.
    """
    asked: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    handlers = {number: signal.signal(number, remember) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for asked_for in asked:
            signal.raise_signal(asked_for)

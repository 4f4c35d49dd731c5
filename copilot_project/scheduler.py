"""Beat's scheduler, with a sign of life: a silent beat is seen even while its process is up."""

from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler

from signals.services.liveness import record_heartbeat

EXPECTED_EVERY_SECONDS = 10


class BeatingScheduler(DatabaseScheduler):
    """DatabaseScheduler that leaves the heartbeat `beat` whenever it looks at the schedule."""

    def tick(self, *args: object, **kwargs: object) -> float:
        delay: float = super().tick(*args, **kwargs)
        record_heartbeat(name="beat", expected_every_seconds=EXPECTED_EVERY_SECONDS, now=timezone.now())
        return min(delay, EXPECTED_EVERY_SECONDS / 2)

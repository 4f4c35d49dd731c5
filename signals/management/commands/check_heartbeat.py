"""Health check of one process from outside it: `manage.py check_heartbeat sender`."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from signals.models import Heartbeat

MISSED_BEATS = 3


class Command(BaseCommand):
    help = "Exit with 0 when the named heartbeat is fresh, with 1 and the reason when it is not."
    requires_system_checks: list[str] = []  # it runs every few seconds beside what it watches

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "name", help="as in the admin under Heartbeats: beat, sender, signals.tasks.beat_heart()"
        )

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        heartbeat = Heartbeat.objects.filter(name=name).first()
        if heartbeat is None:
            known = ", ".join(Heartbeat.objects.values_list("name", flat=True)) or "none"
            raise CommandError(f"{name} has never given a sign of life; known: {known}")
        age = timezone.now() - heartbeat.beat_at
        if age > timedelta(seconds=MISSED_BEATS * heartbeat.expected_every_seconds):
            raise CommandError(
                f"{name} was last alive {age.total_seconds():.0f} s ago;"
                f" it is expected every {heartbeat.expected_every_seconds} s"
            )
        self.stdout.write(f"{name} was alive {age.total_seconds():.0f} s ago")

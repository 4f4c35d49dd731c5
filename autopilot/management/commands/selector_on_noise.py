"""`manage.py selector_on_noise`: whether the trainer finds something where nothing is."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from autopilot.tasks import selector_on_noise
from signals.management.job_command import JobCommand

LARGEST_SHARE = 0.03


class Command(JobCommand):
    help = (
        "Train the selector on noise, once a seed, and count how often it would have been promoted. Ends with status "
        "1 when that is more than 3 in 100."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--seeds", type=int, default=100)
        parser.add_argument("--rows", type=int, default=5_000)

    def handle(self, *args: Any, seeds: int, rows: int, background: bool, **options: Any) -> None:
        if seeds < 1 or rows < 5:
            raise CommandError("--seeds must be at least 1, and --rows at least 5.")
        job = self.carry_out(
            task=selector_on_noise,
            parameters={"seeds": seeds, "rows": rows},
            background=background,
            tell=self.stderr.write,
        )
        if job and job.result:
            promoted = len(job.result["promoted"])
            self.stdout.write(f"{promoted} of {seeds} fits on noise would have been promoted.")
            if promoted > LARGEST_SHARE * seeds:
                sys.exit(1)

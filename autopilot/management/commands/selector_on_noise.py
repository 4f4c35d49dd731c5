"""`manage.py selector_on_noise`: whether the trainer finds something where nothing is."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from autopilot.tasks import selector_on_noise
from signals.management.job_command import JobCommand

LARGEST_SHARE = 0.03
LEAST_FOUND = 0.95


class Command(JobCommand):
    help = (
        "Train the selector on noise, once a seed, and count how often it would have been promoted; then on a "
        "planted rule. Ends with status 1 when that is more than 3 in 100, or less than 95 % of the rule is found."
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
            planted = job.result["planted"]
            self.stdout.write(f"Of a planted rule it finds {planted:.1%} of what could be known.")
            if promoted > LARGEST_SHARE * seeds or planted < LEAST_FOUND:
                sys.exit(1)

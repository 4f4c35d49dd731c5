"""`manage.py train_selector`: train the selector here, or at a worker, with the settings of the console."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from autopilot.services.bootstrap_config import get_bootstrap_config
from autopilot.services.training import AlreadyRunning, running_training, start_training
from autopilot.tasks import train_selector
from signals.management.job_command import JobCommand


class Command(JobCommand):
    help = "Train the model that chooses groups of strategies; it decides only if it beats its baselines out of sample."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)

    def handle(self, *args: Any, background: bool, **options: Any) -> None:
        if background:
            try:
                job = start_training(owner=getpass.getuser(), now=timezone.now())
            except AlreadyRunning as error:
                raise CommandError(f"Nothing was started: {error}.") from error
            self.stdout.write(f"Queued: manage.py jobs show {job.pk}")
            return
        running = running_training()
        if running is not None:
            raise CommandError(f"Nothing was started: {AlreadyRunning(running)}.")
        try:
            done = self.carry_out(
                task=train_selector, parameters=get_bootstrap_config().as_parameters(), background=False
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        if done and done.result:
            self.stdout.write(
                f"Model {done.result['model']}: {done.result['state']}; {done.result['reason']}."
            )

"""`manage.py backup FOLDER`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from copilot_project.backup import BackupError, back_up


class Command(BaseCommand):
    help = (
        "Back up the whole database into a new folder while everything goes on. It holds names and chats of people "
        "and every password hash: keep it as carefully as the database."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="a new folder, on another disk than the database's")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        try:
            back_up(folder=folder.absolute(), now=timezone.now(), tell=self.stdout.write)
        except BackupError as error:
            raise CommandError(str(error)) from None

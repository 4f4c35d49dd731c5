"""`manage.py restore FOLDER`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from copilot_project.backup import BackupError, restore


class Command(BaseCommand):
    help = "Restore a backup into an empty database and compare each table's rows with the backup's list."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="what `manage.py backup` wrote")
        parser.add_argument(
            "--replace",
            default="",
            metavar="DATABASE",
            help="the database's own name: throw away all that is in it first",
        )

    def handle(self, *args: Any, folder: Path, replace: str, **options: Any) -> None:
        try:
            pending = restore(folder=folder.absolute(), replace=replace, tell=self.stdout.write)
        except BackupError as error:
            raise CommandError(str(error)) from None
        if pending:
            self.stdout.write(
                f"The backup is of an older version: run manage.py migrate ({len(pending)} to apply)."
            )

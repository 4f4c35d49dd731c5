"""`manage.py migrate`: Django's, and then what the application may do with the tables."""

from typing import Any

from django.conf import settings
from django.core.management.commands import migrate

from copilot_project.database_roles import grant_to_application


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if options["plan"] or options["check_unapplied"] or not settings.APPLICATION_ROLE:
            return
        granted = grant_to_application(
            role=settings.APPLICATION_ROLE, password=settings.APPLICATION_PASSWORD or None
        )
        if granted and options["verbosity"] > 0:
            self.stdout.write(f"Role {settings.APPLICATION_ROLE} may read and write rows.")

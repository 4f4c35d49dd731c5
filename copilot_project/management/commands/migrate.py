"""`manage.py migrate`: Django's, and then what the application may do with the tables."""

from typing import Any

from django.core.management.commands import migrate

from copilot_project.database_roles import grant_as_configured


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if options["plan"] or options["check_unapplied"]:
            return
        for said in grant_as_configured():
            if options["verbosity"] > 0:
                self.stdout.write(said)

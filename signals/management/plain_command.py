"""A command that ends in one line when the database is down."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError


class PlainCommand(BaseCommand):
    """No traceback for what is nobody's mistake in the code; Ctrl-C is `manage.py`'s.

    It runs no system check: those load every page, and are `manage.py check`'s and the tests' business.
    """

    requires_system_checks: list[str] = []

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            result: str | None = super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            first = (str(error).strip().splitlines() or ["no answer"])[0]
            raise CommandError(
                f"The database does not answer ({first}): start it with `manage.py up`, or set DATABASE_URL."
            ) from error
        return result

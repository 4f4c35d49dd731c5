"""A command that ends in one line, whatever happens to it."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

INTERRUPTED = 130  # what a shell expects of a program that Ctrl-C ended


class PlainCommand(BaseCommand):
    """No traceback for what is nobody's mistake in the code: a database that is down, Ctrl-C, a closed pipe.

    It runs no system check: those load every page, and are `manage.py check`'s and the tests' business.
    """

    requires_system_checks: list[str] = []

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            result: str | None = super().execute(*args, **options)
        except KeyboardInterrupt:
            self.stderr.write("Stopped.")
            sys.exit(INTERRUPTED)
        except (OperationalError, InterfaceError) as error:
            first = (str(error).strip().splitlines() or ["no answer"])[0]
            raise CommandError(
                f"The database does not answer ({first}): start it with `manage.py up`, or set DATABASE_URL."
            ) from error
        except BrokenPipeError:
            # The reader has left (`| head`): nobody is there to be told, and Python's last flush would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        return result

"""`manage.py`: which role a command has, and how it ends when something outside it fails: in one line."""

import os
import sys
from urllib.parse import unquote, urlsplit

OWNER_VARIABLE = "COPILOT_DATABASE_OWNER"
# Those that make, change or empty tables; `up` migrates before it starts the processes, which are not owners.
OWNER_COMMANDS = frozenset({"migrate", "up", "stress_test", "flush", "dbshell", "backup", "restore", "test"})
# Those of the executor's role, the only one that may read encrypted API keys.
EXECUTOR_VARIABLE = "COPILOT_DATABASE_EXECUTOR"
EXECUTOR_COMMANDS = frozenset({"execute_orders", "rotate_exchange_keys"})
# Those that change rows whose history is kept: it names who ran them.
ATTRIBUTED_COMMANDS = frozenset(
    {"api_key", "changepassword", "createsuperuser", "demo", "kill_switch", "load_tiers", "loaddata", "shell"}
)
OWN_COMMANDS = ("autopilot.", "copilot_project.", "notifications.", "research.", "signals.", "users.")
INTERRUPTED = 130


def acts_as_owner() -> bool:
    """Whether this process connects as the owner of the tables."""
    return bool(os.environ.get(OWNER_VARIABLE))


def acts_as_executor() -> bool:
    """Whether this process connects as the role that may read encrypted API keys."""
    return bool(os.environ.get(EXECUTOR_VARIABLE))


def credentials_of(url: str) -> tuple[str, str]:
    """Role and password in a database's URL; empty where there is none."""
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")


def main(arguments: list[str]) -> int:
    """Run a command; the exit status."""
    if len(arguments) > 1 and arguments[1] in OWNER_COMMANDS:
        os.environ[OWNER_VARIABLE] = "1"
    if len(arguments) > 1 and arguments[1] in EXECUTOR_COMMANDS:
        os.environ[EXECUTOR_VARIABLE] = "1"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "copilot_project.settings")
    try:
        _execute(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return INTERRUPTED
    return 0


def _execute(arguments: list[str]) -> None:
    from django.core.management import ManagementUtility  # noqa: PLC0415  (settings first)
    from django.core.management.base import BaseCommand  # noqa: PLC0415
    from django.db import InterfaceError, OperationalError  # noqa: PLC0415

    class Utility(ManagementUtility):
        def fetch_command(self, subcommand: str) -> BaseCommand:
            """The command; apps are loaded by now."""
            import pghistory  # noqa: PLC0415

            command = super().fetch_command(subcommand)
            if type(command).__module__.startswith(OWN_COMMANDS):
                # They load every page, a second of work, and are `manage.py check`'s and the tests' business.
                command.requires_system_checks = []
            if subcommand in ATTRIBUTED_COMMANDS:
                actor = f"manage.py {subcommand} by {os.environ.get('USER') or os.getuid()}"
                setattr(command, "execute", pghistory.context(actor=actor)(command.execute))  # noqa: B010
            return command

    try:
        Utility(arguments).execute()
    except (OperationalError, InterfaceError) as error:
        raise SystemExit(f"The database refuses or does not answer: {' '.join(str(error).split())}") from None

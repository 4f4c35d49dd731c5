"""`manage.py kill_switch engage|reduce --reason …`, `rearm --reason …`, `rearm --confirm CODE`, `status`."""

import os
import pwd
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from signals.models import KillSwitch
from signals.services.kill_switch import KillSwitchError, confirm_rearm, engage, reduce_only, request_rearm


def account_name() -> str:
    """Of whoever runs this; a container's user may have none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


class Command(BaseCommand):
    help = "Stop all sending at once, or allow it again with a reason and a second confirmation."
    requires_system_checks: list[str] = []  # in an emergency nothing else need be in order

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        stop = actions.add_parser("engage", help="nothing is sent from now on")
        stop.add_argument("--reason", required=True)
        less = actions.add_parser("reduce", help="orders only reduce from now on; signals go on")
        less.add_argument("--reason", required=True)
        rearm = actions.add_parser(
            "rearm", help="send again: ask with --reason, then confirm with the --confirm that it tells"
        )
        either = rearm.add_mutually_exclusive_group(required=True)
        either.add_argument("--reason")
        either.add_argument("--confirm", type=UUID, metavar="CODE")
        actions.add_parser("status", help="how it is")
        for action in (stop, less, rearm):
            action.add_argument("--by", default=account_name(), help="who asks (%(default)s)")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            self.stdout.write(self.answer(action, options))
        except KillSwitchError as error:
            raise CommandError(str(error)) from error
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(
                "The database does not answer, so the switch stays as it is. Senders that cannot read it send nothing."
            ) from error

    def answer(self, action: str, options: dict[str, Any]) -> str:
        now = timezone.now()
        if action == "engage":
            return str(engage(reason=options["reason"], by=options["by"], now=now))
        if action == "reduce":
            return str(reduce_only(reason=options["reason"], by=options["by"], now=now))
        if action == "rearm" and options["confirm"]:
            return str(confirm_rearm(code=options["confirm"], by=options["by"], now=now))
        if action == "rearm":
            code = request_rearm(reason=options["reason"], by=options["by"], now=now)
            again = f"manage.py kill_switch rearm --confirm {code}"
            return f"Sending is still stopped. To send again, within five minutes: {again}"
        switch = KillSwitch.objects.first()
        return (
            f"{switch}, by {switch.changed_by}: {switch.reason}"
            if switch
            else "Sending stopped: the switch's row is gone."
        )

"""`manage.py stress_test`: signals faster than any market makes them, and an account of every delivery."""

import json
import math
import signal
import sys
import time
from argparse import RawDescriptionHelpFormatter
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from copilot_project.embedded import EmbeddedError
from copilot_project.management.commands.demo import register_chats
from copilot_project.stress.load import DELAYS, Load, latencies_ms, make_people, wait_until_settled
from copilot_project.stress.place import Place, StressError, place, sandbox, sender
from copilot_project.stress.verdict import Row, judge
from notifications.models import Delivery
from notifications.services.sender.pace import MESSAGES_PER_SECOND

LIMITS = {
    "rate": 10_000,
    "seconds": 86_400,
    "subscribers": 100_000,
    "per_second": 100_000,
    "expires_after": 3_600,
}


class Command(BaseCommand):
    help = """\
Publish signals at a rate, send them with the real sender to a sandbox, and account for every delivery.

Runs in a database, a sandbox and a sender of its own: on the server of DATABASE_URL, or on a Postgres that is
started for it. All of it is removed at the end. Signals expire soon, for Telegram takes 30 messages a second
and one a second in a chat: what cannot be sent in time is counted as expired. Free waits 3 s, not 15 minutes.

deliveries = sent + expired + pending + dead + unknown. `latency_ms`: from release to Telegram's answer.
The judge is the sandbox's journal, which is on disk before the sender hears an answer:
  lost      deliveries that were owed but have no row, rows that say sent although the journal does not know
            them, and messages in the journal that our rows deny (expired, dead, or no such row);
  doubled   messages that were accepted again without being the one repeat that a doubt allows, which says
            "(repeat)", comes silently and is marked in its row; and rows beyond those owed.
Ends with status 1 when lost or doubled is above 0."""
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rate", default="100", help="signals a second (100)")
        parser.add_argument("--seconds", default="60", help="for how long (60)")
        parser.add_argument("--subscribers", default="1000", help="of all four tiers in turn (1000)")
        parser.add_argument("--expires-after", default="10", help="seconds that a signal is valid (10)")
        parser.add_argument(
            "--per-second",
            default=str(MESSAGES_PER_SECOND),
            help=f"messages that the sender may start a second ({MESSAGES_PER_SECOND}); above it, as with paid "
            "broadcasts, the sandbox's limits and the pause of a second in each chat are off",
        )
        parser.add_argument(
            "--json", action="store_true", help="one JSON object on stdout, all else on stderr"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rate, seconds = _number("rate", options), _number("seconds", options)
        load = Load(rate, seconds, valid_seconds=_number("expires_after", options))
        subscribers, per_second = _whole("subscribers", options), _whole("per_second", options)
        if load.valid_seconds <= max(DELAYS.values()):
            raise CommandError(f"--expires-after must be above the {max(DELAYS.values())} s that Free waits.")
        if settings.PRODUCTION:
            raise CommandError(
                "The stress test would slow the real deliveries down: run it with another .env."
            )
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything here is removed
        try:
            with place() as at:
                report = self._run(at, load, subscribers, per_second)
                self.stdout.write(json.dumps(report) if options["json"] else _readable(report))
        except (EmbeddedError, StressError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped; its database and processes are removed.", returncode=130) from None
        if report["lost"] or report["doubled"]:
            sys.exit(1)

    def _run(self, at: Place, load: Load, subscribers: int, per_second: int) -> dict[str, Any]:
        free = per_second > MESSAGES_PER_SECOND
        limits = ["--no-limits"] if free else []
        pace = ["--per-second", str(per_second), *(["--seconds-per-chat", "0"] if free else [])]
        people = make_people(subscribers)
        with sandbox(at, *limits) as url, sender(at, url, *pace) as check:
            register_chats(people, url)
            self._say(f"{subscribers} subscribers are there; publishing")
            began = time.monotonic()
            load.publish(check, self._say)
            wait_until_settled(check, self._say)
            seconds = time.monotonic() - began
        rows = Delivery.objects.values_list("public_id", "state", "is_repeat").iterator(chunk_size=10_000)
        verdict = judge(
            owed=load.committed * subscribers,
            rows=(Row(public_id.hex, state, is_repeat) for public_id, state, is_repeat in rows),
            journal=at.journal(),
        )
        return {
            "committed": load.committed,
            **asdict(verdict),
            "seconds": round(seconds, 1),
            "latency_ms": latencies_ms(),
        }

    def _say(self, line: str) -> None:
        self.stderr.write(line, self.style.NOTICE)


def _number(name: str, options: dict[str, Any]) -> float:
    """An option as a number above zero. CommandError says what is allowed."""
    try:
        value = float(options[name])
    except ValueError:
        value = math.nan
    if not 0 < value <= LIMITS[name]:
        flag = "--" + name.replace("_", "-")
        raise CommandError(f"{flag} must be a number above 0, at most {LIMITS[name]}, not {options[name]!r}.")
    return value


def _whole(name: str, options: dict[str, Any]) -> int:
    value = _number(name, options)
    if value != int(value):
        raise CommandError(f"--{name.replace('_', '-')} must be a whole number, not {options[name]!r}.")
    return int(value)


def _readable(report: dict[str, Any]) -> str:
    return "\n".join(f"{name:12}{value}" for name, value in report.items())

"""What happens between the start of the services and the verdict. Imported once Django is set up."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from django.core.management import call_command

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.models import Delivery
from notifications.services.fan_out import fan_out
from tests.chaos.processes import running
from tests.chaos.storm_judge import StormReport, judge, read_calls
from tests.chaos.watch import say, value
from tests.notifications.rows import (
    ALL_SETTLED,
    Controls,
    make_signal,
    make_subscriber,
    make_tier,
    sandbox_process,
)

# Share of all calls, what Telegram does, and how. A 500 was not accepted, a 502 was, and so were the last two.
Faults = Sequence[tuple[float, str, dict[str, object]]]
STORM: Faults = (
    (0.14, "429", {"retry_after": 1}),
    (0.04, "429", {"retry_after": 2}),
    (0.02, "429", {"retry_after": 3}),
    (0.10, "403", {}),
    (0.02, "400", {"description": "Bad Request: chat not found"}),
    (0.02, "400", {"description": "Bad Request: can't parse entities: unexpected end tag"}),
    (0.01, "400", {"description": "Bad Request: have no rights to send a message"}),
    (0.05, "500", {}),
    (0.05, "502", {}),
    (0.05, "hang", {}),
    (0.01, "garbage", {}),
)
PATIENCE_SECONDS = 7200.0


def run(options: argparse.Namespace, state: Path) -> StormReport:
    """Publish all signals for all chats, let the sender work them off in the storm, judge."""
    call_command("migrate", verbosity=0)
    with sandbox_process(state / "sandbox", "--record-calls", "--seed", str(options.seed)) as url:
        publish(url, rows=options.rows, rows_per_chat=options.rows_per_chat)
        began = time.monotonic()
        command = ["manage.py", "send_deliveries", "--no-metrics"]
        bot = {"TELEGRAM_BOT_TOKEN": DEFAULT_TOKEN, "TELEGRAM_API_URL": url}
        with running(command, state / "sender.log", **bot) as sender:
            while not value(ALL_SETTLED):
                if not sender.lives() or time.monotonic() - began > PATIENCE_SECONDS:
                    raise RuntimeError(f"it never ends:\n{sender.log.read_text()[-3000:]}")
                time.sleep(5)
                say(f"system {options.seed}: {open_rows()} of {options.rows} rows open")
    report = judge(read_calls(state / "sandbox" / "calls.jsonl"), list(Delivery.objects.all()))
    report.seeds = [options.seed]
    report.seconds = round(time.monotonic() - began, 1)
    return report


def publish(url: str, *, rows: int, rows_per_chat: int, storm: Faults = STORM) -> None:
    """That many deliveries, and a sandbox in which the storm has begun."""
    tier = make_tier(max_sessions=None)
    with Controls(url) as controls:
        controls.open_chats(*(make_subscriber(tier=tier) for _ in range(rows // rows_per_chat)))
        for _ in range(rows_per_chat):
            fan_out(signal=make_signal())
        let_it_storm(controls, storm)


def let_it_storm(controls: Controls, storm: Faults) -> None:
    """The sandbox tries one fault after the other, so each has its share of what the ones before it left."""
    left = 1.0
    for share, kind, details in storm:
        controls.fault(kind, probability=share / left, count=None, **details)
        left -= share


def open_rows() -> int:
    return Delivery.objects.filter(state__in=["pending", "sending", "retry"]).count()

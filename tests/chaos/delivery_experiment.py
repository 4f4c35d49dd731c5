"""What happens between the start of the services and the verdict. Imported once Django is set up."""

import argparse
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

import copilot_project.celery  # noqa: F401  (tasks go to our broker)
from notifications.models import Delivery, Feedback, TelegramUpdate
from notifications.services.fan_out import fan_out
from notifications.services.inbox import store_update
from notifications.tasks import sweep_updates, wake_worker
from tests.chaos.processes import IN_FLIGHT, Sandbox, start_sandbox, start_sender, start_worker
from tests.chaos.watch import say, until, value
from tests.factories import make_instrument
from tests.notifications.rows import ALL_SETTLED, Controls, make_signal, make_subscriber, make_tier

LEASE_SECONDS = 5.0
SENDING = "FROM notifications_delivery WHERE state = 'sending' AND lease_until > now()"


@dataclass
class Report:
    """What was done, and what the journal says came of it."""

    seed: int
    deliveries: int = 0
    sender_kills: int = 0
    sender_kills_while_sending: int = 0
    worker_kills: int = 0
    worker_kills_with_work_left: int = 0
    accepted: int = 0
    lost: int = 0
    sent_twice: int = 0
    sent_twice_unmarked: int = 0
    sent_more_than_twice: int = 0
    states: dict[str, int] | None = None
    taps: int = 0
    taps_without_effect: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        too_many = self.sent_twice > self.sender_kills * IN_FLIGHT
        return bool(
            too_many
            or self.lost
            or self.sent_twice_unmarked
            or self.sent_more_than_twice
            or self.taps_without_effect
            or self.sender_kills_while_sending * 2 < self.sender_kills
        )


def run(options: argparse.Namespace, state: Path) -> Report:
    """Migrate an empty database, publish under kills, tap under kills, and let the journal judge."""

    call_command("migrate", verbosity=0)
    started = time.monotonic()
    report = Report(seed=options.seed)
    with start_sandbox(state) as sandbox:
        _people(options.subscribers, sandbox.url)
        sandbox.post("/latency", {"ms": options.latency_ms})
        publisher = threading.Thread(
            target=_publish, args=(options.signals, options.publish_seconds), daemon=True
        )
        publisher.start()
        _kill_senders(options, state, sandbox, publisher, report)
        publisher.join()
        with start_sender(state, sandbox.url, LEASE_SECONDS) as sender:
            until(lambda: value(ALL_SETTLED), sender, every=0.5)
        _tap_under_kills(options, state, sandbox, report)
        _judge(sandbox.journal(), report)
    report.seconds = round(time.monotonic() - started, 1)
    return report


def _people(number: int, url: str) -> None:
    tier = make_tier(max_sessions=None)
    Controls(url).open_chats(*(make_subscriber(tier=tier) for _ in range(number)))


def _publish(number: int, seconds: float) -> None:
    """Signals with their deliveries, each pair in one transaction, spread over the time."""

    instruments = [make_instrument() for _ in range(10)]
    for index in range(number):
        with transaction.atomic():
            fan_out(signal=make_signal(instrument=instruments[index % 10]))
        time.sleep(seconds / number)
    connection.close()


def _kill_senders(
    options: argparse.Namespace, state: Path, sandbox: Sandbox, publisher: threading.Thread, report: Report
) -> None:
    """Two kills of three wait for a row that is being sent; the third falls where it falls."""
    rng = random.Random(options.seed)

    def nothing_left() -> bool:
        return not publisher.is_alive() and value(ALL_SETTLED)

    for kill in range(options.kills):
        before = _sent()
        with start_sender(state, sandbox.url, LEASE_SECONDS) as sender:
            until(lambda before=before: _sent() > before or nothing_left(), sender)
            time.sleep(rng.uniform(0.1, options.between_kills))
            if kill % 3:
                until(lambda: value(f"SELECT EXISTS (SELECT {SENDING})") or nothing_left(), sender)
            sender.kill()
            left = value(f"SELECT count(*) {SENDING}")
        report.sender_kills += 1
        report.sender_kills_while_sending += left > 0
        say(f"sender killed {kill + 1} of {options.kills}, {left} rows in sending, {_sent()} sent")


def _tap_under_kills(options: argparse.Namespace, state: Path, sandbox: Sandbox, report: Report) -> None:
    """Every tap comes as an update; the worker dies while it works them off. At last we sweep, as beat would."""
    rng = random.Random(options.seed)
    tapped = _tap(options.taps)
    for kill in range(options.worker_kills):
        before = _worked_off()
        with start_worker(state, sandbox.url, "celery") as worker:
            until(lambda before=before: _worked_off() > before or before == tapped, worker, every=0.05)
            time.sleep(rng.uniform(0, 0.5))
            worker.kill()
        report.worker_kills += 1
        report.worker_kills_with_work_left += _worked_off() < tapped
        say(f"worker killed {kill + 1} of {options.worker_kills}, {_worked_off()} of {tapped} updates done")
    with start_worker(state, sandbox.url, "celery") as worker:
        until(lambda: _swept() and _worked_off() == tapped, worker, every=5)
    right = TelegramUpdate.objects.filter(outcome__startswith="acted").count()
    report.taps = tapped
    report.taps_without_effect = tapped - min(right, Feedback.objects.count())


def _tap(number: int) -> int:
    """Press `acted` under that many messages; return how many there were to press under."""
    delivered = Delivery.objects.filter(state="sent").select_related("subscriber")[:number]
    for update_id, delivery in enumerate(delivered, start=1):
        tap = {
            "id": str(update_id),
            "from": {"id": delivery.subscriber.chat_id},
            "data": f"fa:{delivery.public_id.hex}",
        }
        store_update(payload={"update_id": update_id, "callback_query": tap}, now=timezone.now())
        wake_worker(update_id)
    return len(delivered)


def _swept() -> bool:
    sweep_updates()
    return True


def _worked_off() -> int:
    return TelegramUpdate.objects.exclude(processed_at=None).count()


def _judge(records: list[dict[str, Any]], report: Report) -> None:
    rows = {row.public_id.hex: row for row in Delivery.objects.all()}
    messages: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        if record["method"] == "sendMessage":
            name = record["reply_markup"]["inline_keyboard"][0][0]["callback_data"].partition(":")[2]
            messages.setdefault(name, []).append(record)
    report.deliveries = len(rows)
    report.accepted = sum(len(copies) for copies in messages.values())
    report.lost = len(rows.keys() - messages.keys())
    twice = {name: copies for name, copies in messages.items() if len(copies) > 1}
    report.sent_twice = len(twice)
    report.sent_more_than_twice = sum(len(copies) > 2 for copies in twice.values())
    report.sent_twice_unmarked = sum(
        not (rows[name].is_repeat and "(repeat)" in copies[1]["text"] and copies[1]["disable_notification"])
        for name, copies in twice.items()
    )
    report.states = dict(Counter(row.state for row in rows.values()))


def _sent() -> int:
    return int(value("SELECT count(*) FROM notifications_delivery WHERE state = 'sent'"))

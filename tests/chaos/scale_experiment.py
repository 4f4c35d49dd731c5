"""The run of `tests.chaos.scale`."""

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

import copilot_project.celery  # noqa: F401  (tasks go to our broker)
from notifications.models import Delivery, SenderLease
from signals.models import Evaluation, ScheduledSlot, Signal
from signals.tasks import evaluate_candle
from tests.chaos.backlog import HOUR, make_backlog
from tests.chaos.processes import Killable, Sandbox, running, start_beat, start_sandbox
from tests.chaos.watch import say, until
from tests.notifications.rows import SENDS, make_subscriber, make_tier
from tests.ports import free_port
from users.models import Subscriber

SWEEP_SECONDS = 5
QUICK = ("--per-second", "100000", "--seconds-per-chat", "0", "--lease-seconds", "4")


@dataclass
class Group:
    """Two of everything, one beat."""

    webs: dict[str, Killable]
    workers: dict[str, Killable]
    senders: dict[str, Killable]


def run(options: argparse.Namespace, state: Path) -> dict[str, Any]:
    call_command("migrate", verbosity=0, interactive=False)
    tier = make_tier(max_sessions=None)
    for _ in range(options.subscribers):
        make_subscriber(tier=tier)
    instruments, closed_at = make_backlog(instruments=options.instruments, missed=options.missed)
    total = options.instruments * (options.missed + 1)
    say(f"{total - options.instruments} candles to judge by two workers")
    began = time.monotonic()
    with start_sandbox(state) as sandbox, group(state, sandbox.url) as running_group:
        for chat in Subscriber.objects.values_list("chat_id", flat=True):
            sandbox.post("/chats", {"id": chat, "first_name": "Subscriber"})
        for url, web in running_group.webs.items():
            until(lambda url=url: answers(url), web, every=0.5)
        for instrument in instruments * 2:  # announced twice
            evaluate_candle.delay(instrument.pk, (closed_at - HOUR).isoformat(), timezone.now().isoformat())
        survivor = kill_half(running_group, total)
        until(lambda: Evaluation.objects.count() >= total, survivor, every=0.2)
        until(is_sent, survivor, every=0.5)
        figures = judge(options, state, sandbox, running_group, total)
    return figures | {"seconds": round(time.monotonic() - began, 1)}


@contextmanager
def group(state: Path, url: str) -> Iterator[Group]:
    market = {"EXCHANGE_API_URL": f"{url}/binance", "MARKET_PROVIDERS": "binance", "TELEGRAM_API_URL": url}
    with ExitStack() as stack:

        def start(name: str, arguments: list[str], **env: str) -> Killable:
            return stack.enter_context(running(arguments, state / f"{name}.log", **market, **env))

        stack.enter_context(start_beat(state, SWEEP_SECONDS))
        found = Group({}, {}, {})
        for number in (1, 2):
            port = free_port()
            web = ["-m", "granian", "--interface", "asginl", "--host", "127.0.0.1", "--port", str(port)]
            web += ["--log-level", "warning", "copilot_project.asgi:application"]
            found.webs[f"http://127.0.0.1:{port}"] = start(f"web{number}", web)
            worker = ["-m", "celery", "-A", "copilot_project", "worker", "-Q", "celery,signals"]
            worker += ["-c", "1", "-n", f"worker{number}@%h", "-l", "INFO"]
            ports = {"WORKER_METRICS_PORT": str(free_port()), "SENDER_METRICS_PORT": str(free_port())}
            found.workers[f"worker{number}"] = start(f"worker{number}", worker, **ports)
            sender = ["manage.py", "send_deliveries", *QUICK]
            found.senders[f"sender{number}"] = start(f"sender{number}", sender, **ports)
        yield found


def kill_half(running_group: Group, total: int) -> Killable:
    """In the middle of it: the first web, the first worker, and the sender that leads. The worker that goes on."""
    first, second = running_group.workers.values()
    until(lambda: Evaluation.objects.count() >= total * 2 // 3 and sent() > 0, second, every=0.05)
    lease = SenderLease.objects.get()
    for sender in running_group.senders.values():
        if lease.holder.endswith(str(sender.process.pid)):
            sender.kill()
    first.kill()
    next(iter(running_group.webs.values())).kill()
    say(f"killed: web, worker and {lease.holder}; {total - Evaluation.objects.count()} candles left")
    return second


def sent() -> int:
    return Delivery.objects.filter(state="sent").count()


def is_sent() -> bool:
    return not Delivery.objects.filter(kind="signal").exclude(state__in=["sent", "unknown", "dead"]).exists()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def judge(
    options: argparse.Namespace, state: Path, sandbox: Sandbox, running_group: Group, total: int
) -> dict[str, Any]:
    judged = Counter(Evaluation.objects.values_list("instrument_id", "candle_open_time"))
    of_signals = Delivery.objects.filter(kind="signal")
    arrived = Counter(
        record["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        for record in sandbox.journal()
        if record["method"] in SENDS and record["reply_markup"]
    )
    alive = [url for url, web in running_group.webs.items() if web.lives()]
    slots = Counter(ScheduledSlot.objects.values_list("name", "slot"))
    figures = {
        "broker": settings.CELERY_BROKER_URL.partition(":")[0],
        "webs_workers_senders_beats": "2 2 2 1",
        "killed": "1 web, 1 worker, the sender that led",
        "candles_to_judge": total - options.instruments,
        "candles_lost": total - len(judged),
        "candles_judged_twice": sum(count - 1 for count in judged.values()),
        "candles_judged_by_each_worker": [judged_in(state / f"{name}.log") for name in running_group.workers],
        "signals": Signal.objects.count(),
        "short_signals_which_nobody_gets_on_a_spot_market": Signal.objects.filter(direction="short").count(),
        "deliveries": of_signals.count(),
        "deliveries_missing": Signal.objects.exclude(direction="short").count() * options.subscribers
        - of_signals.count(),
        "arrived": len(arrived),
        "lost": of_signals.filter(state="sent").count() - len(arrived),
        "arrived_twice": sum(count > 1 for count in arrived.values()),
        "states": dict(Counter(of_signals.values_list("state", flat=True))),
        "leads_now": SenderLease.objects.get().fencing_token,
        "slots_run_twice": sum(count - 1 for count in slots.values()),
        "webs_that_answer": sum(answers(url) for url in alive),
    }
    wrong = ("candles_lost", "candles_judged_twice", "deliveries_missing", "slots_run_twice")
    failed = (
        any(figures[name] for name in wrong)
        or figures["lost"] > 0
        or not all(figures["candles_judged_by_each_worker"])
    )
    return figures | {"failed": failed}


def judged_in(log: Path) -> int:
    return len(re.findall(r"\] evaluated \[", log.read_text(errors="replace")))

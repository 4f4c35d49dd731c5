"""Signals on their way to subscribers: fan-out, publication, transport and the whole path, beside their peers.

    python benchmarks/delivery.py [--quick] [--markdown docs/benchmarks.md]

A fresh Postgres of its own with durable settings, the real publication, the real sender process, and two stand-ins
for Telegram on loopback: the sandbox, which syncs each message to disk, and a lean one (`bot_api.py`) that does
nothing. Everybody's results are compared before anything is timed. `--quick` only shows that all of it runs.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from pathlib import Path
from urllib.parse import parse_qsl

from harness import Contender, commit, fresh_database, interleave, machine, verdict, write_section

BEGIN, END = "<!-- delivery.py -->", "<!-- end of delivery.py -->"
COMMIT_MS, MESSAGES_PER_SECOND = 100.0, 1_000.0
DAILY_CAP = 10
PUBLISHERS, START_SECONDS = 2, 120.0
TOKEN = "1:benchmark"


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    rounds: int
    fan_out: int
    publish_rate: int
    publish_seconds: int
    publish_subscribers: tuple[int, int]
    calls: int
    path_signals: int
    path_subscribers: int


FULL = Sizes(7, 10_000, 100, 60, (500, 1_000), 1_000, 40, 1_000)
QUICK = Sizes(1, 200, 5, 2, (10, 20), 40, 3, 20)


def people(total: int, daily_cap: int) -> None:
    """So many who get every signal; on top, a tenth who want only so many a day and a twentieth who paused."""
    from copilot_project.stress.load import make_people  # noqa: PLC0415
    from notifications.models import DeliveryPreference  # noqa: PLC0415
    from users.models import Subscriber  # noqa: PLC0415

    Subscriber.objects.all().delete()
    capped, paused = total // 10, total // 20
    made = make_people(total + capped + paused)
    DeliveryPreference.objects.bulk_create(
        DeliveryPreference(subscriber=one, daily_cap=daily_cap) for one in made[total : total + capped]
    )
    DeliveryPreference.objects.bulk_create(
        DeliveryPreference(subscriber=one, paused_until=datetime(2099, 1, 1, tzinfo=UTC))
        for one in made[total + capped :]
    )


def empty() -> None:
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # the ledger's triggers rest
        cursor.execute("TRUNCATE notifications_delivery, signals_ledgerentry, signals_signal CASCADE")
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")


class Signals:
    """One unpublished signal after the other, each in the ledger."""

    def __init__(self) -> None:
        self.made = 0

    def next(self) -> "Signal":  # noqa: F821
        from copilot_project.stress.load import DECISION, FIRST_CANDLE  # noqa: PLC0415
        from signals.market.models import Instrument  # noqa: PLC0415
        from signals.models import Signal  # noqa: PLC0415
        from signals.services.publishing import append_to_ledger  # noqa: PLC0415

        self.made += 1
        signal = Signal(
            instrument=Instrument.objects.select_related("exchange").earliest("pk"),
            timeframe="1m",
            candle_open_time=FIRST_CANDLE + timedelta(minutes=self.made),
            source="hybrid",
            strategy=DECISION.strategy,
            direction=DECISION.direction.value,
            confidence=DECISION.confidence,
            entry_price=DECISION.entry_price,
            stop_loss=DECISION.stop_loss,
            take_profit=DECISION.take_profit,
            plan=DECISION.exit_plan.as_json(),
            reasons=list(DECISION.reasons),
            sessions=[],
            published_at=datetime.now(UTC),
            expires_at=datetime.now(UTC) + timedelta(hours=4),
        )
        append_to_ledger(signal)
        return signal


def fan_outs(total: int) -> list[Contender]:
    """Our one statement, and the rows of the same rules made into models and written by bulk_create."""
    from django.db import connection, transaction  # noqa: PLC0415

    from notifications.models import Delivery  # noqa: PLC0415
    from notifications.services.eligibility import candidates_sql, signal_parameters  # noqa: PLC0415
    from notifications.services.fan_out import fan_out  # noqa: PLC0415

    empty()
    people(total, daily_cap=1_000)
    signals = Signals()
    waiting: list = []

    def ours() -> None:
        with transaction.atomic():
            fan_out(signal=waiting.pop())

    def theirs() -> None:
        signal = waiting.pop()
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT subscriber_id, tier, tier_rank, weight, due_at FROM "
                    f"({candidates_sql()}) AS candidate WHERE reason IS NULL",
                    signal_parameters(signal),
                )
                rows = cursor.fetchall()
            Delivery.objects.bulk_create(
                [
                    Delivery(
                        signal=signal, subscriber_id=subscriber, tier=tier, tier_rank=rank, weight=weight,
                        due_at=due, expires_at=signal.expires_at, next_attempt_at=due,
                    )
                    for subscriber, tier, rank, weight, due in rows
                ],
                batch_size=2_000,
                ignore_conflicts=True,
            )  # fmt: skip

    def before() -> None:
        waiting.append(signals.next())

    before()
    one = waiting[0]
    columns = [f.attname for f in Delivery._meta.fields if f.attname not in ("id", "public_id", "created_at")]  # noqa: SLF001
    ours()
    written = set(Delivery.objects.filter(signal=one).values_list(*columns))
    Delivery.objects.filter(signal=one).delete()
    waiting.append(one)
    theirs()
    assert written == set(Delivery.objects.filter(signal=one).values_list(*columns)), "other rows"
    return [
        Contender("ours, INSERT … SELECT", ours, len(written), before),
        Contender("Django bulk_create of the same rows", theirs, len(written), before),
    ]


@dataclass(frozen=True)
class Commits:
    """Publication at a rate; milliseconds from the moment at which a signal was to come until its commit."""

    subscribers: int
    per_second: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Share:
    """What one publisher process publishes: every so manieth of the signals that are to come."""

    publisher: int
    rate: int
    seconds: int

    @property
    def numbers(self) -> range:
        return range(self.publisher, self.rate * self.seconds, PUBLISHERS)


@dataclass(frozen=True)
class Start:
    """Publishers begin together, when the last of them is ready."""

    ready: Barrier
    moment: Synchronized

    def __call__(self) -> float:
        self.ready.wait(START_SECONDS)
        return self.moment.value


def note_moment(moment: Synchronized) -> None:
    moment.value = time.time()


def remember(start: Start) -> None:
    """A process that is spawned gets what it shares with others at its beginning only."""
    global together  # noqa: PLW0603
    together = start


def publish_share(share: Share) -> list[tuple[float, float]]:
    """Open loop: who comes late makes those behind wait, and their waiting counts. When each was due and committed."""
    import django  # noqa: PLC0415

    django.setup()
    from copilot_project.stress.load import DECISION, FIRST_CANDLE  # noqa: PLC0415
    from signals.engine.timeframe import Timeframe  # noqa: PLC0415
    from signals.market.models import Instrument  # noqa: PLC0415
    from signals.models import SignalSource  # noqa: PLC0415
    from signals.services.publishing import publish  # noqa: PLC0415

    instruments = list(Instrument.objects.select_related("exchange"))

    def publish_one(number: int) -> None:
        publish(
            instrument=instruments[number % len(instruments)],
            decision=DECISION,
            timeframe=Timeframe.H1,
            candle_open_time=FIRST_CANDLE + timedelta(minutes=number),
            source=SignalSource.HYBRID,
        )

    publish_one(-1 - share.publisher)  # a worker has its connection and its imports long before
    committed, begins = [], together()
    for number in share.numbers:
        due = begins + number / share.rate
        if time.time() - begins > 2 * share.seconds:
            break
        time.sleep(max(0.0, due - time.time()))
        publish_one(number)
        committed.append((due, time.time()))
    return committed


def commits(rate: int, seconds: int, subscribers: int) -> Commits:
    """Publishers share the signals; in the end every delivery must be there, and each signal chained to the last."""
    from notifications.models import Delivery  # noqa: PLC0415
    from signals.engine.ledger import verify  # noqa: PLC0415
    from signals.models import LedgerEntry  # noqa: PLC0415

    empty()
    people(subscribers, DAILY_CAP)
    spawn = get_context("spawn")
    moment = spawn.Value("d")
    start = Start(spawn.Barrier(PUBLISHERS, partial(note_moment, moment)), moment)
    shares = [Share(publisher, rate, seconds) for publisher in range(PUBLISHERS)]
    with ProcessPoolExecutor(PUBLISHERS, spawn, initializer=remember, initargs=(start,)) as publishers:
        committed = [one for share in publishers.map(publish_share, shares) for one in share]
    taken = [1000 * (at - due) for due, at in committed]
    lasted = max(at for _, at in committed) - moment.value
    published = len(taken) + PUBLISHERS
    capped = subscribers // 10 * min(DAILY_CAP, published)
    assert Delivery.objects.count() == published * subscribers + capped
    assert LedgerEntry.objects.count() == published
    assert verify(LedgerEntry.objects.entries()) is None
    quantiles = statistics.quantiles(taken, n=100)
    return Commits(subscribers, len(taken) / max(lasted, seconds), quantiles[49], quantiles[98])


@contextmanager
def bot_api() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("bot_api.py"))], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def bodies(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/bodies") as answer:
        found: list[str] = json.load(answer)
    return found


def parameters(body: str) -> dict[str, str]:
    """What was posted, as JSON or as a form."""
    return json.loads(body) if body.startswith("{") else dict(parse_qsl(body))


def transports(url: str, calls: int) -> dict[int, list[Contender]]:
    """python-telegram-bot's default and ours; the same messages, with the product's two buttons."""
    from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup  # noqa: PLC0415

    from notifications.clients.aiohttp_request import AiohttpRequest  # noqa: PLC0415

    text = "<b>LONG BTC/USDT</b>\nEntry 68,000 · Stop 67,300 · Target 69,500 (+2.2 %) & more\n" * 5
    buttons = [
        InlineKeyboardButton(name, callback_data=f"f{name[0]}:{'0' * 32}") for name in ("acted", "ignored")
    ]

    async def send(make: Callable[[], Bot], in_flight: int) -> None:
        bot = make()
        left = iter(range(calls))

        async def one_after_the_other() -> None:
            for number in left:
                sent = await bot.send_message(
                    1000 + number, text, parse_mode="HTML", reply_markup=InlineKeyboardMarkup([buttons])
                )
                assert sent.message_id

        await bot.request.initialize()
        try:
            await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))
        finally:
            await bot.request.shutdown()

    def run(make: Callable[[], Bot], in_flight: int) -> Callable[[], object]:
        job: Callable[[], Awaitable[None]] = lambda: send(make, in_flight)  # noqa: E731
        return lambda: asyncio.run(job())

    def ours() -> Bot:
        request = AiohttpRequest()
        return Bot(TOKEN, base_url=f"{url}/bot", request=request, get_updates_request=request)

    def default() -> Bot:
        return Bot(TOKEN, base_url=f"{url}/bot")

    forms = []
    for make in (ours, default):
        bodies(url)
        run(make, 10)()
        forms.append(sorted(sorted(parameters(body).items()) for body in bodies(url)))
    assert forms[0] == forms[1], "other requests"
    assert len(forms[0]) == calls
    return {
        in_flight: [
            Contender("ours, AiohttpRequest", run(ours, in_flight), calls),
            Contender("python-telegram-bot's default, HTTPXRequest", run(default, in_flight), calls),
        ]
        for in_flight in (10, 50)
    }


@dataclass(frozen=True)
class Throughput:
    """One sender process with a backlog: messages a second from the first acceptance to the last row settled."""

    name: str
    messages: int
    per_second: float


def whole_path(name: str, signals: int, subscribers: int) -> Throughput:
    """Deliveries wait; one sender process sends them with Telegram's limits off, each state committed."""
    from django.db.models import Max, Min  # noqa: PLC0415

    from copilot_project import processes  # noqa: PLC0415
    from copilot_project.management.commands.demo import register_chats  # noqa: PLC0415
    from copilot_project.stress import place  # noqa: PLC0415
    from copilot_project.stress.load import make_people  # noqa: PLC0415
    from copilot_project.stress.verdict import Row, judge  # noqa: PLC0415
    from notifications.models import OPEN_STATES, Delivery, SenderLease  # noqa: PLC0415
    from notifications.services.fan_out import fan_out  # noqa: PLC0415
    from users.models import Subscriber, Tier  # noqa: PLC0415

    empty()
    Subscriber.objects.all().delete()
    chats = make_people(subscribers)
    Tier.objects.update(delay_seconds=0)
    made = Signals()
    for _ in range(signals):
        fan_out(signal=made.next())
    folder = Path(os.environ["COPILOT_STATE_DIR"]) / f"path-{name.split(maxsplit=1)[0]}"
    folder.mkdir()
    at = place.Place(folder, processes.environment(8000))
    with place.sandbox(at, "--no-limits") if name.startswith("sandbox") else bot_api() as url:
        if name.startswith("sandbox"):
            register_chats(chats, url)
        with place.sender(at, url, "--per-second", "100000", "--seconds-per-chat", "0") as check:
            while Delivery.objects.filter(state__in=OPEN_STATES).exists():
                check()
                time.sleep(0.2)
        journal = at.journal() if name.startswith("sandbox") else [accepted(body) for body in bodies(url)]
    rows = [
        Row(one.hex, state, mark)
        for one, state, mark in Delivery.objects.values_list("public_id", "state", "is_repeat")
    ]
    found = judge(owed=signals * subscribers, rows=rows, journal=journal)
    assert (found.sent, found.lost, found.doubled) == (signals * subscribers, 0, 0), found
    SenderLease.objects.update(lapses_at=datetime.now(UTC))
    span = Delivery.objects.aggregate(first=Min("sent_at"), last=Max("sent_at"))
    return Throughput(name, found.sent, found.sent / (span["last"] - span["first"]).total_seconds())


def accepted(body: str) -> dict[str, object]:
    """A posted form as the sandbox's journal would have it."""
    form = parameters(body)
    return {
        "method": "sendMessage",
        "text": form["text"],
        "disable_notification": form.get("disable_notification") == "true",
        "reply_markup": json.loads(form["reply_markup"]),
    }


def rates(title: str, unit: str, contenders: list[Contender]) -> list[str]:
    return [
        f"### {title}\n",
        f"| | {unit}/s, median | slowest | fastest | × the peer |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {one.name} | {one.rate:,.0f} | {one.bars / max(one.seconds):,.0f} "
            f"| {one.bars / min(one.seconds):,.0f} | {one.rate / contenders[1].rate:.1f} |"
            for one in contenders
        ),
        "",
    ]


def at_most(text: str, found: float, goal: float) -> str:
    return f"- {text}: **{found:,.0f}**, goal {goal:,.0f}: {'reached' if found <= goal else 'MISSED'}"


def at_least(text: str, found: float, goal: float) -> str:
    return f"- {text}: **{found:,.0f}**, goal {goal:,.0f}: {'reached' if found >= goal else 'MISSED'}"


def measure(sizes: Sizes, command: str) -> str:
    from users.models import Subscriber  # noqa: PLC0415

    # First: after a hundred thousand rows of fan-outs its tail was several times as long on the same machine.
    published = [
        commits(sizes.publish_rate, sizes.publish_seconds, many) for many in sizes.publish_subscribers
    ]
    fanned = fan_outs(sizes.fan_out)
    everybody = Subscriber.objects.count()
    interleave(fanned, sizes.rounds)
    with bot_api() as url:
        called = transports(url, sizes.calls)
        for contenders in called.values():
            interleave(contenders, sizes.rounds)
    paths = [
        whole_path(name, sizes.path_signals, sizes.path_subscribers)
        for name in ("lean Bot API", "sandbox, which syncs each message to disk")
    ]
    ratio = {in_flight: one[0].rate / one[1].rate for in_flight, one in called.items()}
    lines = [
        BEGIN,
        "# Signals on their way to subscribers\n",
        f"`{command}`, commit {commit()}, {datetime.now(UTC):%Y-%m-%d}.",
        f"{machine()}; Postgres with fsync on, over a unix socket.",
        f"Rates are medians of {sizes.rounds} interleaved rounds after a warm-up, peers beside ours in each. All",
        "results were compared: rows column by column, requests parameter by parameter, messages one by one.\n",
        *rates(f"Fan-out to {fanned[0].bars:,} of {everybody:,} subscribers, all rules", "rows", fanned),
        f"### {PUBLISHERS} publishers: {sizes.publish_rate} signals/s for {sizes.publish_seconds} s, with deliveries\n",
        "| subscribers | signals/s | p50 ms | p99 ms |",
        "|--:|--:|--:|--:|",
        *(
            f"| {one.subscribers:,} | {one.per_second:.1f} | {one.p50:.1f} | {one.p99:.1f} |"
            for one in published
        ),
        "\nMilliseconds from the instant at which the signal was to come, so waiting behind others counts; each",
        "publisher has published one before.\n",
        *(
            line
            for in_flight, one in called.items()
            for line in rates(f"Calls of the Bot API, {in_flight} in flight", "messages", one)
        ),
        "### The whole path: one sender process, a backlog, each state committed\n",
        "| Telegram is | messages | messages/s |",
        "|---|--:|--:|",
        *(f"| {one.name} | {one.messages:,} | {one.per_second:,.0f} |" for one in paths),
        "",
        verdict("fan-out ÷ bulk_create", fanned[0].rate / fanned[1].rate, 4),
        at_most(f"p99 ms of a commit to {published[0].subscribers} subscribers", published[0].p99, COMMIT_MS),
        verdict("transport ÷ default, 10 in flight", ratio[10], 3),
        verdict("transport ÷ default, 50 in flight", ratio[50], 10),
        at_least("messages/s of one sender", max(one.per_second for one in paths), MESSAGES_PER_SECOND),
        END,
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes; ends with 0 whatever was measured")
    parser.add_argument("--markdown", type=Path, help="write the section here as well")
    asked = parser.parse_args()
    with fresh_database():
        from copilot_project.stress.place import broker  # noqa: PLC0415

        with broker(Path(os.environ["COPILOT_STATE_DIR"])):
            text = measure(
                QUICK if asked.quick else FULL, "python benchmarks/delivery.py" + " --quick" * asked.quick
            )
    print(text)
    if asked.markdown:
        write_section(asked.markdown, text, BEGIN, END)
    return 1 if "MISSED" in text and not asked.quick else 0


if __name__ == "__main__":
    sys.exit(main())

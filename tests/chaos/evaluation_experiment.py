"""What happens between the start of the services and the verdict. Imported once Django is set up."""

import argparse
import random
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import redis
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

import copilot_project.celery  # noqa: F401  (tasks go to our broker)
from notifications.models import Delivery
from signals.engine.ledger import verify
from signals.market.models import Instrument
from signals.models import Evaluation, LedgerEntry, ScheduledSlot, Signal
from signals.tasks import evaluate_candle
from tests.chaos.backlog import HOUR, make_backlog
from tests.chaos.processes import Killable, start_beat, start_sandbox, start_worker
from tests.chaos.watch import say, until, value
from tests.notifications.rows import make_subscriber, make_tier

SUBSCRIBERS = 3
SWEEP = "signals.tasks.sweep_evaluations()"


@dataclass
class Report:
    """What was done, and what the tables say came of it."""

    seed: int
    candles: int = 0
    worker_kills: int = 0
    worker_kills_with_candles_left: int = 0
    flushes: int = 0
    flushes_with_candles_left: int = 0
    evaluations: int = 0
    candles_lost: int = 0
    candles_evaluated_twice: int = 0
    signals: int = 0
    signals_missing: int = 0
    signals_twice: int = 0
    deliveries_missing: int = 0
    ledger_broken_at: int | None = None
    sweep_slots_never_finished: int = 0
    longest_seconds_from_kill_to_next_sweep: float = 0.0
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        wrong = (
            self.candles_lost or self.candles_evaluated_twice or self.signals_missing or self.signals_twice
        )
        idle = self.worker_kills_with_candles_left < self.worker_kills
        return bool(wrong or idle or self.deliveries_missing or self.ledger_broken_at is not None)


def run(options: argparse.Namespace, state: Path) -> Report:
    """Migrate an empty database, fill it with candles to judge, judge them under kills and flushes, count."""
    call_command("migrate", verbosity=0)
    tier = make_tier(max_sessions=None)
    for _ in range(SUBSCRIBERS):
        make_subscriber(tier=tier)
    instruments, closed_at = make_backlog(instruments=options.instruments, missed=options.missed)
    report = Report(seed=options.seed, candles=options.instruments * options.missed)
    say(f"{report.candles} candles of {options.instruments} instruments to judge")
    started = time.monotonic()
    with start_sandbox(state) as sandbox, start_beat(state, options.sweep_seconds):
        ordeal = Ordeal(options, state, sandbox.url, report)
        ordeal.endure(instruments, closed_at)
    report.seconds = round(time.monotonic() - started, 1)
    _judge_candles(report, options.missed, closed_at)
    _judge_signals(report, closed_at)
    _judge_slots(report, ordeal.killed_at)
    return report


class Ordeal:
    """The kills and the flushes."""

    def __init__(self, options: argparse.Namespace, state: Path, url: str, report: Report) -> None:
        self.options, self.state, self.url, self.report = options, state, url, report
        self.broker = redis.Redis.from_url(settings.REDIS_URL)
        self.rng = random.Random(options.seed)
        self.total = options.instruments * (options.missed + 1)
        self.killed_at: list[datetime] = []

    def endure(self, instruments: list[Instrument], closed_at: datetime) -> None:
        kills, flushes = self.options.kills, self.options.flushes
        flush_before = {round((n + 0.5) * kills / max(flushes - 1, 1)) for n in range(flushes - 1)}
        for kill in range(kills):
            self._round(instruments[kill::kills], closed_at, flush=kill in flush_before)
            say(f"worker killed {kill + 1} of {kills}, {self._left()} candles left")
        with start_worker(self.state, self.url, "celery,signals") as worker:
            self._wait_for_work(worker)
            self._flush()
            until(lambda: self._left() == 0, worker, every=0.2)

    def _round(self, fresh: list[Instrument], closed_at: datetime, *, flush: bool) -> None:
        for instrument in fresh * 2:
            evaluate_candle.delay(instrument.pk, (closed_at - HOUR).isoformat(), timezone.now().isoformat())
        with start_worker(self.state, self.url, "celery,signals") as worker:
            self._wait_for_work(worker)
            if flush:
                self._flush()
                self._wait_for_work(worker)
            worker.kill()
        self.killed_at.append(timezone.now())
        self.report.worker_kills += 1
        self.report.worker_kills_with_candles_left += self._left() > 0

    def _wait_for_work(self, worker: Killable) -> None:
        """Until some more candles are judged, and a little longer: into the middle of one."""
        goal = min(self._judged() + self.rng.randint(1, 20), self.total)
        until(lambda: self._judged() >= goal, worker)
        time.sleep(self.rng.uniform(0, 0.05))

    def _flush(self) -> None:
        self.report.flushes += 1
        self.report.flushes_with_candles_left += self._left() > 0
        self.broker.flushall()
        say(f"FLUSHALL, {self._left()} candles left")

    def _judged(self) -> int:
        return Evaluation.objects.count()

    def _left(self) -> int:
        return self.total - self._judged()


def _judge_candles(report: Report, missed: int, closed_at: datetime) -> None:
    """Every stored candle of the backlog, looked up one by one."""
    first = closed_at - missed * HOUR
    candles = "SELECT instrument_id, open_time FROM market_candle WHERE timeframe = '1h' AND open_time >= %s"
    same = "instrument_id = c.instrument_id AND candle_open_time = c.open_time"
    judged = f"SELECT count(*) FROM signals_evaluation WHERE {same}"
    per_candle = f"SELECT ({judged}) AS times FROM ({candles}) AS c"
    report.evaluations = int(value(f"SELECT sum(times) FROM ({per_candle}) AS counted", first))
    report.candles_lost = value(f"SELECT count(*) FROM ({per_candle}) AS counted WHERE times = 0", first)
    report.candles_evaluated_twice = value(
        f"SELECT count(*) FROM ({per_candle}) AS counted WHERE times > 1", first
    )


def _judge_signals(report: Report, closed_at: datetime) -> None:
    """Each newest candle holds a signal; one that was found within the hour must be published, once."""
    newest = Evaluation.objects.filter(candle_open_time=closed_at - HOUR)
    in_time = newest.filter(as_of__lt=closed_at + HOUR)
    stored = list(Signal.objects.order_by("ledger_entry_id"))
    report.signals = len(stored)
    report.signals_missing = in_time.filter(signal=None).count()
    report.signals_twice = len(stored) - len({(s.instrument_id, s.candle_open_time) for s in stored})
    report.deliveries_missing = len(stored) * SUBSCRIBERS - Delivery.objects.count()
    report.ledger_broken_at = verify(LedgerEntry.objects.entries())


def _judge_slots(report: Report, killed_at: list[datetime]) -> None:
    """A slot whose worker died stays unfinished; the next one must run all the same."""
    slots = ScheduledSlot.objects.filter(name=SWEEP)
    report.sweep_slots_never_finished = slots.filter(finished_at=None).count()
    started = sorted(slots.values_list("started_at", flat=True))
    waits = [min(s for s in started if s > killed) - killed for killed in killed_at]
    report.longest_seconds_from_kill_to_next_sweep = round(max(waits).total_seconds(), 1)

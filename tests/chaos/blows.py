"""Who is killed when. One thread for each process, so that one is still coming back when another dies."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import redis
from django.conf import settings

from notifications.services.sender.conninfo import conninfo
from signals.crash_points import EXIT_STATUS, CrashPoint
from tests.chaos.report import Report
from tests.chaos.system import System, ask
from tests.chaos.watch import say

# The visit at which a process dies, so that it first gets done what its last death left behind.
VISITS = {
    CrashPoint.BEFORE_CLAIM: (3, 10),
    CrashPoint.AFTER_CLAIM: (4, 10),
    CrashPoint.BEFORE_SEND: (9, 40),
    CrashPoint.AFTER_SEND: (9, 40),
    CrashPoint.BEFORE_SETTLE: (9, 40),
    CrashPoint.AFTER_SETTLE: (9, 40),
    CrashPoint.AFTER_SIGNAL_INSERT: (1, 2),
    CrashPoint.AFTER_FAN_OUT_BEFORE_COMMIT: (1, 2),
    CrashPoint.AFTER_COMMIT: (1, 2),
    CrashPoint.AFTER_UPDATE_INSERT: (1, 4),
    CrashPoint.AFTER_EFFECT_BEFORE_COMMIT: (2, 4),
    CrashPoint.BEFORE_REPLY: (2, 4),
    CrashPoint.AFTER_REPLY: (2, 4),
}
SENDER = tuple(CrashPoint)[:6]
PUBLISHER = tuple(CrashPoint)[6:9]
WEB = (CrashPoint.AFTER_UPDATE_INSERT,)
WORKER = (CrashPoint.AFTER_EFFECT_BEFORE_COMMIT, CrashPoint.BEFORE_REPLY, CrashPoint.AFTER_REPLY)

CHILD_DIED = f"exitcode {EXIT_STATUS}"
CLAIMED_BY_THIS_LIFE = (
    "SELECT count(*) FROM notifications_delivery "
    "WHERE state = 'sending' AND lease_until - make_interval(secs => %s) > %s"
)
OPEN_DELIVERIES = "SELECT count(*) FROM notifications_delivery WHERE state IN ('pending', 'sending', 'retry')"
SENT_BY_THIS_LIFE = "SELECT count(*) FROM notifications_delivery WHERE sent_at > %s"
HEARTBEATS = ("sender", "worker", "beat", "web")
LOOK_FOR_WORK_SECONDS = 8.0
PROVOKE_EVERY_SECONDS = 2.0


class Attacker:
    """Hurts one process (or the services) as the plan says; what it did and saw goes into the report."""

    def __init__(self, system: System, report: Report, name: str) -> None:
        self.system, self.report, self.name = system, report, name
        self.rng = random.Random(f"{system.plan.seed} {name}")

    def provoke(self) -> None:
        """Give the processes something to do: signals only while the sender keeps up with them."""
        if ask(OPEN_DELIVERIES) < 2 * self.system.plan.subscribers:
            self.system.release(1)
        self.system.tap(4)

    def kill(self, name: str) -> datetime:
        now = self.system.kill(name)
        self.report.kills[name] += 1
        return now

    def wait_back(self, label: str, hurt_at: datetime, *names: str) -> None:
        """Until all of them have shown life again; how long each took goes into the report."""
        missing = set(names)

        def all_back() -> bool:
            for name in sorted(missing):
                if self.system.beaten_since(name, hurt_at):
                    missing.remove(name)
                    waited = (datetime.now(UTC) - hurt_at).total_seconds()
                    self.report.seconds_until_back.setdefault(f"{label}: {name}", []).append(waited)
            return not missing

        self.system.until(all_back, f"no heartbeat of {', '.join(missing)} after {label}", every=0.2)
        waited = (datetime.now(UTC) - hurt_at).total_seconds()
        say(
            f"seed {self.system.plan.seed}: {label} back after {waited:.1f} s, {self.report.kills.total()} kills"
        )

    def armed_life(self, crash_at: str) -> int:
        """The pid of a life of the process with this crash point, for which another one may have to die."""
        while not self.system.is_armed(pid := self.system.pid(self.name), crash_at):
            self.system.arm(self.name, crash_at)
            self.kill(self.name)
        return pid


class MainProcessAttacker(Attacker):
    """For a process that ends at its crash point: kills and crashes in a random order."""

    def attack(self, points: tuple[CrashPoint, ...], kills: int, *, heartbeat: bool = True) -> None:
        plan: list[CrashPoint | None] = [*points * self.system.plan.per_point, *[None] * kills]
        self.rng.shuffle(plan)
        visits = [self._crash_at(point) for point in plan] + [""]
        self.system.arm(self.name, visits[0])
        hurt_at = self.kill(self.name)
        for point, crash_at, following in zip(plan, visits[:-1], visits[1:], strict=True):
            pid = self.armed_life(crash_at)
            self.system.arm(self.name, following)
            if heartbeat and point not in WEB:
                self.wait_back(self.name, hurt_at, self.name)
            hurt_at = self.crash(point, pid) if point else self.strike()

    def _crash_at(self, point: CrashPoint | None) -> str:
        return f"{point.value}:{self.rng.randint(*VISITS[point])}" if point else ""

    def crash(self, point: CrashPoint, pid: int) -> datetime:
        """Wait for the process to end at its crash point."""
        child = self.system.child(self.name)
        provoked_at = 0.0

        def gone() -> bool:
            nonlocal provoked_at
            if time.monotonic() - provoked_at > PROVOKE_EVERY_SECONDS:
                self.provoke()
                provoked_at = time.monotonic()
            return child.running is None or child.running.pid != pid

        self.system.until(gone, f"{self.name} does not come to {point.value}", every=0.02)
        self.report.crash_points[point.value] += 1
        return datetime.now(UTC)

    def strike(self) -> datetime:
        self.provoke()
        time.sleep(self.rng.uniform(0, 2))
        return self.kill(self.name)


class SenderAttacker(MainProcessAttacker):
    """Three of four kills wait for a row of this life in `sending`; the fourth falls where it falls."""

    def __init__(self, system: System, report: Report) -> None:
        super().__init__(system, report, "sender")
        self.kills = 0

    def strike(self) -> datetime:
        began, lease = datetime.now(UTC), self.system.plan.lease_seconds
        self.provoke()
        self.kills += 1
        with psycopg.connect(conninfo(), autocommit=True) as connection:

            def count(query: str, *parameters: object) -> int:
                row = connection.execute(query.encode(), parameters).fetchone()
                return int(row[0]) if row else 0

            if self.kills % 4:
                self._wait(lambda: count(SENT_BY_THIS_LIFE, began) >= self.rng.randint(8, 30))
                self._wait(lambda: count(CLAIMED_BY_THIS_LIFE, lease, began) > 0)
            else:
                time.sleep(self.rng.uniform(0, 2))
            killed_at = self.kill(self.name)
            sending = count(CLAIMED_BY_THIS_LIFE, lease, began) > 0
        self.report.sender_kills_while_sending += sending
        return killed_at

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LOOK_FOR_WORK_SECONDS
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.002)


class WorkerAttacker(Attacker):
    """The worker's children end at crash points, one after the other; its main process and beat are killed."""

    def attack(self, kills: int) -> None:
        wanted = self.system.plan.per_point
        for point in WORKER:
            low, high = VISITS[point]
            crash_at = f"{point.value}:{self.rng.randint(low, high)}"
            self.armed_life(crash_at)
            before = self.system.log("worker").count(CHILD_DIED)
            self._crash_children(point, before, wanted)
        self.system.arm("worker", "")
        self.kill("worker")
        for _ in range(kills):
            for name in ("worker", "beat"):
                self.provoke()
                time.sleep(self.rng.uniform(0, 2))
                self.wait_back(name, self.kill(name), name)

    def _crash_children(self, point: CrashPoint, before: int, wanted: int) -> None:
        died = 0
        while died < wanted:
            self.provoke()
            time.sleep(PROVOKE_EVERY_SECONDS / 2)
            died = self.system.log("worker").count(CHILD_DIED) - before
        self.report.crash_points[point.value] += died


class ServicesAttacker(Attacker):
    """Postgres, Redis and FLUSHALL, one at a time; after each everybody must show life again."""

    def attack(self) -> None:
        plan = self.system.plan
        blows = ["postgres"] * plan.postgres_kills + ["redis"] * plan.redis_kills + ["flush"] * plan.flushes
        self.rng.shuffle(blows)
        for number, blow in enumerate(blows):
            self.provoke()
            time.sleep(self.rng.uniform(0, 2))
            hurt_at = self._hurt(blow, number)
            self.system.release(1)
            self.wait_back(blow, hurt_at, *HEARTBEATS)

    def _hurt(self, blow: str, number: int) -> datetime:
        if blow == "flush":
            now = datetime.now(UTC)
            redis.Redis.from_url(settings.REDIS_URL).flushall()
            self.report.flushes += 1
            return now
        if blow == "postgres":
            self.report.kills[blow] += 1
            return self.system.kill_postgres(backends=bool(number % 2))
        return self.kill(blow)


def settled() -> bool:
    """Nothing is on its way any more: neither deliveries nor updates."""
    open_updates = "SELECT count(*) FROM notifications_telegramupdate WHERE processed_at IS NULL"
    return not (ask(OPEN_DELIVERIES) or ask(open_updates))

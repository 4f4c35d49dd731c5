"""What happens between the start of the services and the verdict. Imported once Django is set up."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from notifications.models import Delivery
from notifications.services.fan_out import fan_out
from signals.models import Alarm, Heartbeat, KillSwitch
from tests.chaos.services import REPOSITORY
from tests.chaos.up import MARKS, System, start_system
from tests.chaos.watch import say, until
from tests.notifications.rows import Controls, make_signal, make_subscriber, make_tier

ALARM_SECONDS = 60.0
KILL_SWITCH_SECONDS = 1.0
STUCK_SECONDS = 90.0
GIVEN_UP_SECONDS = 150.0
SUBSCRIBERS = 60
LOOK_AFTER_ENGAGEMENT_SECONDS = 6.0


@dataclass
class Figures:
    """What was measured, and the names of what was not as it must be."""

    values: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, name: str, value: Any) -> None:
        self.values[name] = value

    def add_seconds(self, name: str, value: float | None, *, limit: float) -> None:
        """None: it never came."""
        self.add(f"{name} after s", value)
        if value is None or value > limit:
            self.wrong.append(name)

    def expect(self, name: str, value: Any, *, right: bool) -> None:
        self.add(name, value)
        if not right:
            self.wrong.append(name)


def run(options: argparse.Namespace, state: Path) -> dict[str, Any]:
    """Stop each process, then the sending, then kill the sender; names and seconds of what came of it."""
    figures = Figures()
    with start_system(state) as system:
        until(system.is_up, system.process, every=1.0)
        until(lambda: is_calm(system), system.process, every=1.0)
        for name in MARKS:
            stop_and_go_on(system, name, figures)
            say(json.dumps(figures.values))
        people(system)
        engage_and_rearm(system, state, options.engagements, figures)
        kill_while_sending(system, options.kills, figures)
    return figures.values | {"wrong": ", ".join(figures.wrong) or "nothing", "failed": bool(figures.wrong)}


def is_calm(system: System) -> bool:
    """Everybody has shown life, nobody is accused, /readyz agrees."""
    seen = set(Heartbeat.objects.values_list("name", flat=True)) >= MARKS.keys()
    return seen and not Alarm.objects.filter(cleared_at=None).exists() and system.readyz()[0] == 200


def stop_and_go_on(system: System, name: str, figures: Figures) -> None:
    stopped_at, log_began = datetime.now(UTC), system.log_size()
    system.signal(name, signal.SIGSTOP)
    after: dict[str, float] = {}

    def told() -> bool:
        alarm = Alarm.objects.filter(name=name, raised_at__gte=stopped_at).first()
        seen = {
            "row": alarm is not None,
            "log": bool(system.tellers(name, log_began)),
            "readyz": system.readyz()[0] == (0 if name == "web" else 503),
        }
        for what, so in seen.items():
            if so:
                after.setdefault(what, seconds_since(stopped_at))
        return len(after) == len(seen) or seconds_since(stopped_at) > GIVEN_UP_SECONDS

    until(told, system.process, every=0.2)
    others = Alarm.objects.filter(raised_at__gte=stopped_at).exclude(name=name)
    accused = sorted(set(others.values_list("name", flat=True)))
    tellers = sorted(set(system.tellers(name, log_began)))
    went_on_at = datetime.now(UTC)
    system.signal(name, signal.SIGCONT)
    until(lambda: is_calm(system), system.process, every=0.2)
    clear = seconds_since(went_on_at)
    probe = "no answer of /readyz" if name == "web" else "/readyz 503"
    figures.add_seconds(f"{name} stopped: alarm row", after.get("row"), limit=ALARM_SECONDS)
    figures.add_seconds(f"{name} stopped: error in the log", after.get("log"), limit=ALARM_SECONDS)
    figures.add_seconds(f"{name} stopped: {probe}", after.get("readyz"), limit=ALARM_SECONDS)
    figures.add(f"{name} stopped: told by", ", ".join(tellers))
    figures.expect(f"{name} stopped: others accused", ", ".join(accused) or "nobody", right=not accused)
    figures.add_seconds(f"{name} goes on: all clear", clear, limit=ALARM_SECONDS)


def engage_and_rearm(system: System, state: Path, times: int, figures: Figures) -> None:
    """From `manage.py kill_switch engage` (when it read the clock, before its commit) to the last acceptance."""
    publish(signals=2 + 6 * times)
    journal = state / "sandbox" / "telegram.jsonl"
    last, waiting = [], []
    for _ in range(times):
        before = len(accepted(journal))
        until(lambda before=before: len(accepted(journal)) > before + SUBSCRIBERS, system.process, every=0.1)
        kill_switch("engage", "--reason", "chaos")
        engaged_at = KillSwitch.objects.get().changed_at.timestamp()
        time.sleep(LOOK_AFTER_ENGAGEMENT_SECONDS)
        last.append(round(max(0.0, max(accepted(journal)) - engaged_at), 3))
        waiting.append(open_rows())
        code = re.findall(r"--confirm (\S+)", kill_switch("rearm", "--reason", "chaos"))[0]
        kill_switch("rearm", "--confirm", code)
        say(f"kill switch engaged, last message {last[-1]} s later, {waiting[-1]} rows waited")
    until(lambda: not open_rows(), system.process, every=0.5)
    figures.add("kill switch: engagements", times)
    figures.expect("kill switch: fewest rows that waited", min(waiting), right=min(waiting) > 0)
    figures.add_seconds("kill switch: last message accepted at most", max(last), limit=KILL_SWITCH_SECONDS)


def kill_while_sending(system: System, times: int, figures: Figures) -> None:
    """`make up` starts the sender again; what it left in `sending` is settled once the lease has lapsed."""
    longest, stuck = 0.0, 0
    with Controls(system.sandbox) as controls:
        controls.post("/latency", {"ms": 3000})
        for _ in range(times):
            publish(signals=1)
            until(lambda: sending().count() >= 4, system.process, every=0.05)
            system.signal("sender", signal.SIGKILL)
            killed_at = datetime.now(UTC)
            left = list(sending().values_list("attempt_id", flat=True))
            until(lambda left=left: not sending().filter(attempt_id__in=left), system.process, every=0.2)
            longest, stuck = max(longest, seconds_since(killed_at)), stuck + len(left)
            say(f"sender killed, {len(left)} rows settled after at most {longest} s")
    figures.add("sender killed: times", times)
    figures.expect("sender killed: rows left in sending", stuck, right=stuck > 0)
    figures.add_seconds("sender killed: all of them settled at most", longest, limit=STUCK_SECONDS)


def people(system: System) -> None:
    tier = make_tier(max_sessions=None)
    with Controls(system.sandbox) as controls:
        controls.open_chats(*(make_subscriber(tier=tier) for _ in range(SUBSCRIBERS)))


def publish(*, signals: int) -> None:
    for _ in range(signals):
        fan_out(signal=make_signal())


def accepted(journal: Path) -> list[float]:
    """Wall seconds of each message that Telegram took."""
    *complete, _ = journal.read_text().split("\n") if journal.exists() else [""]
    records = map(json.loads, complete)
    return [record["wall"] for record in records if record["method"] in ("sendMessage", "sendPhoto")]


def kill_switch(*arguments: str) -> str:
    command = [sys.executable, "manage.py", "kill_switch", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ, capture_output=True, text=True, check=True
    ).stdout


def sending() -> Any:
    return Delivery.objects.filter(state="sending")


def open_rows() -> int:
    return Delivery.objects.filter(state__in=["pending", "sending", "retry"]).count()


def seconds_since(moment: datetime) -> float:
    return round((datetime.now(UTC) - moment).total_seconds(), 1)

"""Random lives of signals and subscribers against what we promise of every delivery.

The rows, the rules and the sender's SQL are the real ones, on a clock that the test puts forward. What
would be Telegram is a list of accepted messages, which is the judge; the test decides the fate of each call.
`make properties` runs 10,000 lives, `make test` 200.
"""

import asyncio
import os
import random
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from psycopg import AsyncConnection

from notifications.clients.telegram_call import Failure, TelegramError
from notifications.models import Delivery, DeliveryState, SenderState, WebhookEndpoint
from notifications.services.fan_out import fan_out
from notifications.services.follow_up import follow_up
from notifications.services.sender import claiming, overdue, settling
from notifications.services.sender.claiming import Claimed
from notifications.services.sender.lease import Lease
from notifications.services.sender.settling import Sent
from notifications.services.sender.transition import after_failure
from notifications.services.webhooks import announce_outcomes, announce_signal
from signals.market.models import Instrument
from signals.models import Signal
from signals.services.ledger_heads import sign_head
from tests.factories import make_instrument
from tests.notifications.chat import command, press, tap
from tests.notifications.integrator_judge import endpoints_of, judge_export, judge_lists, judge_webhooks
from tests.notifications.receipt_judge import judge, receipt_of
from tests.notifications.rows import make_outcome, make_signal, make_subscriber, make_tier
from tests.notifications.virtual_clock import VirtualClock, virtual_clock
from users.models import Subscriber, Tier

LIVES = int(os.environ.get("PROPERTY_LIVES", "200"))
STEPS = 20
LEASE_SECONDS = 30.0
TERMINAL = {"sent", "dead", "unknown", "expired"}
# Between two looks a row may have taken several steps.
REACHABLE = {
    "pending": {"sending", "retry", *TERMINAL},
    "retry": {"sending", "pending", *TERMINAL},
    "sending": {"pending", "retry", *TERMINAL},
    **{state: set[str]() for state in TERMINAL},
}
# What may become of a call that does not reach the chat.
FAILURES = {
    "never left": Failure.NOT_SENT,
    "lost": Failure.AMBIGUOUS,
    "rate limited": Failure.RATE_LIMITED,
    "chat gone": Failure.CHAT_GONE,
    "bad text": Failure.BAD_TEXT,
    "refused": Failure.REFUSED,
    "bad token": Failure.BAD_TOKEN,
}
EMPTIED = [
    "notifications_chatstate", "notifications_telegramupdate", "notifications_feedback", "signals_strategyweight",
    "notifications_delivery", "notifications_webhookdelivery", "signals_signaloutcome", "signals_signal",
    "signals_ledgerhead", "signals_ledgerentry",
]  # fmt: skip
MOST_SHOWN = 5
LISTED = re.compile(r"Entry <code>([\d.]+)</code>.*\n(.+)")
SAID = [
    "/pause",
    "/resume",
    "/settings",
    "/tier",
    "/verify",
    "/status",
    "/help",
    "/stop",
    "hello",
    "/nothing",
]
PRESSED = [
    "s:", "s:sessions:london", "s:sessions:asia", "s:cap:1", "s:cap:none", "s:risk:low", "s:risk:aggressive",
    "s:account:live", "p:1", "p:24", "s:instruments:all", "x:n1", "v:00", "zz",
]  # fmt: skip
ARRIVALS = ["arrives unseen", "sender dies before", "sender dies after", "answer read late"]
FATES = st.sampled_from(["arrives"] * 3 + ARRIVALS + list(FAILURES))
# A lease, Telegram's pause, the delays of tiers and of backoff; then days, in which everything expires.
CALM = [timedelta(seconds=31)] * 4 + [timedelta(minutes=16)] * 3 + [timedelta(hours=12)] * 8
SPANS = st.sampled_from([0.3, 2.0, 31.0, 240.0, 901.0, 3600.0])


@dataclass
class Person:
    """What we know of a subscriber without asking the rows."""

    pk: int
    chat_id: int
    tier: Tier
    is_active: bool = True
    is_reachable: bool = True
    paused_until: datetime | None = None
    ends_at: datetime | None = None

    def may_hear(self, *, asked_at: datetime, now: datetime) -> bool:
        """Whether some moment between the two allows it: the claim was made in one."""
        paused = self.paused_until is not None and self.paused_until > now
        over = self.ends_at is not None and self.ends_at <= asked_at
        return self.is_active and self.is_reachable and not paused and not over


@dataclass
class Published:
    signal: Signal
    ended_at: datetime | None = None


@dataclass
class World:
    """What outlives one life: the system in which it happens."""

    clock: VirtualClock
    runner: asyncio.Runner
    sender: AsyncConnection[Any]
    tiers: list[Tier]
    instrument: Instrument
    lives: int = 0
    accepted: int = 0
    repeats: int = 0
    endpoints: list[WebhookEndpoint] = field(default_factory=list)
    receipts: int = 0
    listed: int = 0
    exports: int = 0
    webhooks: int = 0
    states: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Lives(RuleBasedStateMachine):
    """One life: a few subscribers, their signals, a sender that suffers."""

    world: World

    @initialize(
        tiers=st.lists(st.integers(0, 3), min_size=2, max_size=4),
        fates=st.lists(FATES, min_size=4, max_size=4),
    )
    def begin(self, tiers: list[int], fates: list[str]) -> None:
        self._clear_the_system()
        self.world.lives += 1
        self.people = {}
        for index in tiers:
            tier = self.world.tiers[index]
            subscriber = make_subscriber(tier=tier, preference={})
            self.people[subscriber.pk] = Person(subscriber.pk, subscriber.chat_id or 0, tier)
        self.published: dict[int, Published] = {}
        self.messages: dict[int, list[bool]] = defaultdict(list)  # delivery: is it certain that it arrived?
        self.called: set[int] = set()  # deliveries with which Telegram was, or may have been, called
        self.seen: dict[int, str] = {}
        self.late: list[tuple[Claimed, int]] = []
        self.bot_waits_until = self.world.clock.now()
        self.lease = Lease(LEASE_SECONDS)
        self.publish(confidence=0.9, minutes=240, experimental=False)
        self._send(fates)

    # What people do

    @rule(
        confidence=st.sampled_from([0.5, 0.9]),
        minutes=st.sampled_from([1, 1, 20, 240]),
        experimental=st.booleans(),
    )
    def publish(self, confidence: float, minutes: int, experimental: bool) -> None:
        with transaction.atomic():
            now = self.world.clock.now()
            signal = make_signal(
                instrument=self.world.instrument,
                published_at=now,
                expires_at=now + timedelta(minutes=minutes),
                confidence=confidence,
                experimental=experimental,
                entry_price=101.0 + len(self.published),  # by which a reply names it
                take_profit=150.0,
            )
            fan_out(signal=signal)
            announce_signal(signal=signal)
        self.published[signal.pk] = Published(signal)

    @rule(number=st.integers(0, 9))
    def end_signal(self, number: int) -> None:
        running = [published for published in self.published.values() if published.ended_at is None]
        if not running:
            return
        ended = running[number % len(running)]
        with transaction.atomic():
            now = self.world.clock.now()
            entry = ended.signal.entry_price
            make_outcome(
                signal=ended.signal, exit_reason="target", entered_at=now, exited_at=now, entry_price=entry,
                exit_price=entry * 1.1, return_ratio=0.1, r_multiple=2.0, best_r=2.0, worst_r=0.0, bars_held=1,
                is_ambiguous=False, maker_bps=1, taker_bps=1, slippage_bps=1, recorded_at=now,
            )  # fmt: skip
            follow_up(signal_ids=[ended.signal.pk])
            announce_outcomes(signal_ids=[ended.signal.pk])
        ended.ended_at = now

    @rule(number=st.integers(0, 9), tier=st.integers(0, 3))
    def change_tier(self, number: int, tier: int) -> None:
        person = self._person(number)
        person.tier = self.world.tiers[tier]
        Subscriber.objects.filter(pk=person.pk).update(tier=person.tier)

    @rule(number=st.integers(0, 9), tier=st.integers(2, 3), seconds=st.sampled_from([0.3, 61.0]))
    def downgrade_between_publication_and_sending(self, number: int, tier: int, seconds: float) -> None:
        self.publish(confidence=0.9, minutes=240, experimental=False)
        self.change_tier(number, tier)
        self.wait(seconds)
        self._send(["arrives"] * 4)

    @rule(number=st.integers(0, 9), minutes=st.sampled_from([1, 60]))
    def pause(self, number: int, minutes: int) -> None:
        person = self._person(number)
        person.paused_until = self.world.clock.now() + timedelta(minutes=minutes)
        subscriber = Subscriber.objects.get(pk=person.pk)
        subscriber.preference.paused_until = person.paused_until
        subscriber.preference.save()

    @rule(number=st.integers(0, 9))
    def archive_or_restore(self, number: int) -> None:
        person = self._person(number)
        person.is_active = not person.is_active
        status = "active" if person.is_active else "archived"
        Subscriber.objects.filter(pk=person.pk).update(status=status)

    @rule(number=st.integers(0, 9), minutes=st.sampled_from([None, 0, 10]))
    def subscribe_until(self, number: int, minutes: int | None) -> None:
        person = self._person(number)
        person.ends_at = None if minutes is None else self.world.clock.now() + timedelta(minutes=minutes)
        Subscriber.objects.filter(pk=person.pk).update(subscription_ends_at=person.ends_at)

    @rule(number=st.integers(0, 9))
    def come_back(self, number: int) -> None:
        """The subscriber unblocks the bot."""
        person = self._person(number)
        person.is_reachable = True
        Subscriber.objects.filter(pk=person.pk).update(unreachable_reason="")

    @rule(number=st.integers(0, 9))
    def ask_for_the_last_signals(self, number: int) -> None:
        """What is shown was sent, or may have been; what is known to have arrived is shown."""
        person, now = self._person(number), self.world.clock.now()
        rows = Delivery.objects.filter(subscriber=person.pk).order_by("-due_at", "-pk")
        own = {(row.kind, self._entry(row)): row.pk for row in rows}
        shown = LISTED.findall(command("/last", person.chat_id, now))
        for entry, result in shown:
            assert own["signal", entry] in self.called, "/last shows what was never sent"
            assert result == "No result yet" or own["outcome", entry] in self.called, "/last knows the end"
        arrived = [
            entry for (kind, entry), pk in own.items() if kind == "signal" and True in self.messages[pk]
        ]
        newest = [entry for entry, _ in shown]
        assert set(arrived[: MOST_SHOWN - len(set(newest) - set(arrived))]) <= set(newest), "/last hides one"

    @rule(number=st.integers(0, 9), other=st.integers(0, 99))
    def press_a_button(self, number: int, other: int) -> None:
        """The buttons of a message work once it may have arrived, in its own chat only."""
        person, now = self._person(number), self.world.clock.now()
        rows = Delivery.objects.filter(signal_id__in=self.published, kind="signal").order_by("pk")
        if not rows:
            return
        row = rows[other % len(rows)]
        if tap(row, person.chat_id, now):
            assert row.subscriber_id == person.pk, "a button of another chat"
            assert row.pk in self.called, "a button of a message that was never sent"
        else:
            assert row.subscriber_id != person.pk or True not in self.messages[row.pk], "a dead button"

    @rule(number=st.integers(0, 9), words=st.sampled_from(SAID))
    def say_something(self, number: int, words: str) -> None:
        """Commands and settings change what comes next; none of them shows a signal or its end early."""
        person, now = self._person(number), self.world.clock.now()
        said = command(words, person.chat_id, now)
        assert "Entry <code>" not in said, "only /last shows signals"
        person.paused_until = Subscriber.objects.get(pk=person.pk).preference.paused_until

    @rule(number=st.integers(0, 9), data=st.sampled_from(PRESSED))
    def press_a_setting(self, number: int, data: str) -> None:
        person, now = self._person(number), self.world.clock.now()
        press(data, person.chat_id, now)
        person.paused_until = Subscriber.objects.get(pk=person.pk).preference.paused_until

    @rule(number=st.integers(0, 9), acted=st.booleans())
    def change_of_mind_tells_no_end_early(self, number: int, acted: bool) -> None:
        """Whether an answer may still change depends on what the tier may know, not on what is on record."""
        person, now = self._person(number), self.world.clock.now()
        rows = Delivery.objects.filter(subscriber=person.pk, kind="signal", signal_id__in=self.published)
        row = rows.order_by("pk").last()
        if row is None:
            return
        outcome = press(("fa:" if acted else "fi:") + row.public_id.hex, person.chat_id, now)
        ended_at, delay = self.published[row.signal_id].ended_at, timedelta(seconds=person.tier.delay_seconds)
        if outcome.startswith("too late"):
            assert ended_at is not None
            assert now >= ended_at + delay, "told that the signal has ended before its release"

    @rule(number=st.integers(0, 9))
    def ask_for_the_performance(self, number: int) -> None:
        """It counts no end that the tier may not know yet."""
        person, now = self._person(number), self.world.clock.now()
        delay = timedelta(seconds=person.tier.delay_seconds)
        known = [each for each in self.published.values() if each.ended_at and each.ended_at + delay <= now]
        said = command("/performance", person.chat_id, now)
        counted = re.search(r"(\d+) signals? since", said)
        assert (int(counted.group(1)) if counted else 0) <= len(known), (
            "an end was counted before its release"
        )

    @rule()
    def sign_the_ledger(self) -> None:
        sign_head(now=self.world.clock.now())

    @rule(number=st.integers(0, 9), other=st.integers(0, 99), is_signed=st.booleans())
    def ask_for_a_receipt(self, number: int, other: int, is_signed: bool) -> None:
        """Of what was sent to this chat only, under a head that tells nothing early."""
        person = self._person(number)
        if is_signed:
            self.sign_the_ledger()
        now = self.world.clock.now()
        rows = Delivery.objects.filter(signal_id__in=self.published, kind="signal").order_by("pk")
        if other % 3:
            rows = rows.filter(subscriber=person.pk)
        if not rows:
            return
        row = rows[other % len(rows)]
        outcome, text = receipt_of(row, person.chat_id, now)
        if not text:
            assert not outcome.startswith("receipt")
            return
        assert row.subscriber_id == person.pk, "a receipt of another chat"
        assert row.pk in self.called, "a receipt of what was never sent"
        delay = timedelta(seconds=person.tier.delay_seconds)
        judge(text, self.published[row.signal_id].signal, self._lived(), delay=delay, now=now)
        self.world.receipts += 1

    @rule(tier=st.integers(0, 3), oldest_first=st.booleans(), arrives=st.booleans())
    def integrators_ask_and_are_told(self, tier: int, oldest_first: bool, arrives: bool) -> None:
        """Lists, the public export and webhooks: each as late as the tier whose key it is, or as the slowest."""
        world, now = self.world, self.world.clock.now()
        lived, longest = self._lived(), max(each.delay_seconds for each in world.tiers)
        world.listed += judge_lists(lived, world.tiers[tier], oldest_first=oldest_first, now=now)
        judge_export(lived, longest=timedelta(seconds=longest), now=now)
        ends = {signal.pk: ended_at for signal, ended_at in lived}
        world.webhooks += judge_webhooks(ends, world.endpoints[tier], arrives=arrives, now=now)

    @rule(seconds=st.sampled_from([899.0, 3601.0]))
    def the_public_reads_a_head(self, seconds: float) -> None:
        """Signed now, read later; what came in between stays hidden."""
        self.sign_the_ledger()
        self.wait(seconds)
        self.publish(confidence=0.9, minutes=20, experimental=False)
        self.sign_the_ledger()
        longest = timedelta(seconds=max(each.delay_seconds for each in self.world.tiers))
        self.world.exports += judge_export(self._lived(), longest=longest, now=self.world.clock.now())

    @rule(seconds=SPANS)
    def wait(self, seconds: float) -> None:
        self.world.clock.put_forward(timedelta(seconds=seconds))

    # What the sender does

    @rule(fates=st.lists(FATES, min_size=4, max_size=4))
    def send(self, fates: list[str]) -> None:
        self._send(fates)

    @rule(seconds=SPANS, fates=st.lists(FATES, min_size=4, max_size=4))
    def wait_and_send(self, seconds: float, fates: list[str]) -> None:
        self.wait(seconds)
        self._send(fates)

    @rule()
    def read_late_answers(self) -> None:
        """A sender that was suspended after its call writes what it knows, whoever leads now."""
        for row, message_id in self.late:
            self._record_sent(row, message_id)
        self.late.clear()

    @rule()
    def end_halt(self) -> None:
        SenderState.objects.update(halted_reason="")

    def _send(self, fates: list[str]) -> int:
        """One turn of the loop; returns how many rows it handled."""
        if not self._run(self.lease.take(self.world.sender)):
            return 0
        self._run(overdue.settle_overdue(self.world.sender))
        # Calls of one turn are under way together: Telegram's answer to one stops only those of later turns.
        self.no_call_before, self.asked_at = self.bot_waits_until, self.world.clock.now()
        claimed = self._run(claiming.claim(self.world.sender, limit=len(fates), busy=[], lease=self.lease))
        for row, fate in zip((row for row in claimed if row.state == "sending"), fates, strict=False):
            self._meet(row, fate)
        self._look()
        return len(claimed)

    def _meet(self, row: Claimed, fate: str) -> None:
        self._require_release(row)
        self.called.add(row.id)
        match fate:
            case "arrives":
                assert self._record_sent(row, self._accept(row, certain=True))
            case "answer read late":
                self.late.append((row, self._accept(row, certain=False)))
            case "sender dies before":
                self.lease = Lease(LEASE_SECONDS)
            case "sender dies after":
                self._accept(row, certain=False)
                self.lease = Lease(LEASE_SECONDS)
            case "arrives unseen":
                self._accept(row, certain=False)
                self._fail(row, Failure.AMBIGUOUS)
            case _:
                self._fail(row, FAILURES[fate])

    def _record_sent(self, row: Claimed, message_id: int) -> bool:
        answered = [(row, Sent(message_id))]
        return row.id in self._run(settling.record_sent(self.world.sender, answered=answered))

    def _fail(self, row: Claimed, failure: Failure) -> None:
        error = TelegramError(f"as if: {failure}", failure, retry_after_seconds=5.0)
        transition = after_failure(error, row.attempt, random.Random(1))
        if failure is Failure.RATE_LIMITED:
            self.bot_waits_until = self.world.clock.now() + timedelta(seconds=5)
        self._run(settling.record_failure(self.world.sender, row=row, transition=transition))
        if failure is Failure.CHAT_GONE:
            self.people[row.subscriber_id].is_reachable = False

    # What we promise

    def _require_release(self, row: Claimed) -> None:
        """The moment of a call: this person may have this message now."""
        now, person = self.world.clock.now(), self.people[row.subscriber_id]
        delivery = Delivery.objects.get(pk=row.id)
        published = self.published[delivery.signal_id]
        delay = timedelta(seconds=person.tier.delay_seconds)
        assert person.may_hear(asked_at=self.asked_at, now=now), (person, now)
        assert self.asked_at < row.expires_at, "sent after its end"
        assert now >= self.no_call_before, "sent while Telegram wanted us to wait"
        if row.draft.kind == "signal":
            assert now >= published.signal.published_at + delay, "seen before its release"
            assert not (published.signal.experimental and not person.tier.experimental)
        else:
            assert published.ended_at is not None
            assert now >= published.ended_at + delay, "the end was seen before its release"
            original = Delivery.objects.get(
                signal_id=delivery.signal_id, subscriber_id=delivery.subscriber_id, kind="signal"
            )
            assert self.messages[original.pk], "the end was told of a signal that never came"

    def _accept(self, row: Claimed, *, certain: bool) -> int:
        """Telegram takes a message: never once too often."""
        earlier = self.messages[row.id]
        assert len(earlier) < 2, "three times"
        assert True not in earlier, "sent again although it was known to have arrived"
        assert row.draft.is_repeat or not earlier, "sent twice without the mark"
        earlier.append(certain)
        self.world.accepted += 1
        self.world.repeats += len(earlier) == 2
        return 1000 + row.id

    def _look(self) -> None:
        """No row took a forbidden step, none vanished, none was sent before it was due."""
        rows_now = dict(Delivery.objects.filter(signal_id__in=self.published).values_list("pk", "state"))
        assert self.seen.keys() <= rows_now.keys(), "a delivery vanished"
        for pk, before in self.seen.items():
            after = rows_now[pk]
            assert after == before or after in REACHABLE[before], (before, after)
        self.seen = rows_now

    def teardown(self) -> None:
        """Without further faults everything ends, and every end is accounted for."""
        if not hasattr(self, "people"):
            return
        self.late.clear()
        SenderState.objects.update(halted_reason="")
        for span in CALM:
            self.world.clock.put_forward(span)
            while self._send(["arrives"] * 8):
                pass
            if not Delivery.objects.filter(
                signal_id__in=self.published, state__in=("pending", "sending", "retry")
            ).exists():
                break
        for delivery in Delivery.objects.filter(signal_id__in=self.published):
            arrived = self.messages[delivery.pk]
            self.world.states[delivery.state] += 1
            assert delivery.state in TERMINAL, f"{delivery} never ended: {delivery.reason}"
            assert (delivery.state == DeliveryState.SENT) <= bool(arrived), "says sent, but nobody got it"
            assert bool(arrived) <= (delivery.state in ("sent", "unknown")), f"arrived, but {delivery.state}"
            assert delivery.state == DeliveryState.SENT or delivery.reason, "ended without a reason"

    def _clear_the_system(self) -> None:
        """Whatever an earlier life left, one that failed included."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for table in EMPTIED:
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute(
                "UPDATE users_subscriber SET status = 'archived', chat_id = NULL WHERE chat_id IS NOT NULL"
            )
            cursor.execute("UPDATE notifications_senderlease SET lapses_at = '-infinity'")
            cursor.execute(
                "INSERT INTO notifications_senderstate (id, halted_reason) VALUES (1, '')"
                " ON CONFLICT (id) DO UPDATE SET paused_until = NULL, halted_reason = ''"
            )

    def _lived(self) -> list[tuple[Signal, datetime | None]]:
        return [(each.signal, each.ended_at) for each in self.published.values()]

    def _entry(self, delivery: Delivery) -> str:
        return f"{self.published[delivery.signal_id].signal.entry_price:.2f}"

    def _person(self, number: int) -> Person:
        people = list(self.people.values())
        return people[number % len(people)]

    def _run(self, work: Any) -> Any:
        return self.world.runner.run(work)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)  # for `make properties`
def test_no_life_breaks_a_promise(transactional_db: None) -> None:
    tiers = [
        make_tier(rank=9004, experimental=True),
        make_tier(rank=9003),
        make_tier(rank=9002, delay_seconds=60),
        make_tier(rank=9001, delay_seconds=900),
    ]
    key = override_settings(LEDGER_SIGNING_KEY="ab" * 32)
    with key, virtual_clock() as clock, asyncio.Runner() as runner:
        sender = runner.run(AsyncConnection.connect(clock.conninfo, autocommit=True))
        Lives.world = world = World(clock, runner, sender, tiers, make_instrument())
        world.endpoints = endpoints_of(tiers)
        try:
            run_state_machine_as_test(
                Lives,
                settings=settings(
                    max_examples=LIVES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],  # shrinking would take hours
                    derandomize="PROPERTY_LIVES" not in os.environ,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(sender.close())
    # The search must have met what it is about.
    assert world.lives >= LIVES
    assert world.repeats > 0
    assert min(world.receipts, world.listed, world.exports, world.webhooks) > 0
    assert {"sent", "dead", "unknown", "expired"} <= world.states.keys()
    lived = f"{world.lives} lives, {world.accepted} messages, {world.repeats} repeats, {dict(world.states)}"
    print(lived)  # noqa: T201  (`make properties` shows it)

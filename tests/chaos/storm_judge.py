"""What the sandbox's journal of calls says about a storm. Needs no database."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

PER_SECOND = 30
SECONDS_PER_CHAT = 1.0
# A call that left before the 429 was read cannot be called back. It is on its way for milliseconds; the rest is
# for a machine that has better things to do. Every retry_after is twice as long at least.
CROSSING_SECONDS = 0.5
AMBIGUOUS = ("500", "502", "hang", "garbage")
NOT_ACCEPTED = ("429", "403", "400", "500")
ENDS = ("sent", "dead", "unknown")
SENDS = ("sendMessage", "sendPhoto")


@dataclass(frozen=True)
class Call:
    """One request: when it came and when it was answered, by the sandbox's monotonic clock in seconds.

    `outcome`: "ok", or what was done to it.
    """

    arrived: float
    answered: float
    chat_id: int
    delivery: str
    outcome: str
    is_by_limits: bool
    description: str
    retry_after: int

    @property
    def is_accepted(self) -> bool:
        return self.outcome not in NOT_ACCEPTED

    @property
    def ends_chat(self) -> bool:
        return self.outcome == "403" or "chat not found" in self.description


class Row(Protocol):
    """What is read of a delivery."""

    public_id: Any
    state: str
    subscriber_id: int
    is_repeat: bool


@dataclass
class StormReport:
    """What was done, and what the journal says came of it."""

    seeds: list[int] = field(default_factory=list)
    rows: int = 0
    calls: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    calls_inside_a_retry_after: int = 0
    calls_that_crossed_a_429: int = 0
    latest_of_those_ms: int = 0
    refused_by_the_limits: int = 0
    most_calls_in_a_second: int = 0
    shortest_seconds_between_calls_to_a_chat: float = 0.0
    most_calls_to_a_chat_that_is_gone: int = 0
    rows_of_chats_that_are_gone_never_called: int = 0
    states: dict[str, int] = field(default_factory=dict)
    illegal_ends: int = 0
    lost: int = 0
    sent_twice: int = 0
    sent_twice_without_a_doubt: int = 0
    sent_twice_unmarked: int = 0
    sent_more_than_twice: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return bool(
            self.calls_inside_a_retry_after
            or self.refused_by_the_limits
            or self.most_calls_in_a_second > PER_SECOND
            or self.shortest_seconds_between_calls_to_a_chat < SECONDS_PER_CHAT
            or self.most_calls_to_a_chat_that_is_gone > 1
            or self.illegal_ends
            or self.lost
            or self.sent_twice_without_a_doubt
            or self.sent_twice_unmarked
            or self.sent_more_than_twice
        )


def read_calls(path: Path) -> list[Call]:
    """Calls that send, in the order in which they came."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    answers = {record["answer_to"]: record["monotonic"] for record in records if "answer_to" in record}
    sends = [record for record in records if record.get("method") in SENDS]
    calls = [call_of(record, answers.get(record["arrived"], record["monotonic"])) for record in sends]
    return sorted(calls, key=lambda call: call.arrived)


def call_of(record: dict[str, Any], answered: float) -> Call:
    button = record["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    return Call(
        arrived=record["arrived"],
        answered=answered,
        chat_id=record["chat_id"],
        delivery=button.partition(":")[2],
        outcome=record["fault"] or str(record["refusal"] or "ok"),
        is_by_limits=record["refusal"] == 429 and record["fault"] is None,
        description=record["description"],
        retry_after=record["retry_after"] or 0,
    )


def judge(calls: list[Call], rows: Sequence[Row]) -> StormReport:
    report = StormReport(rows=len(rows), calls=len(calls))
    report.outcomes = dict(sorted(Counter(call.outcome for call in calls).items()))
    report.states = dict(sorted(Counter(row.state for row in rows).items()))
    _judge_pace(calls, report)
    _judge_rows(calls, rows, report)
    return report


def _judge_pace(calls: list[Call], report: StormReport) -> None:
    pauses = [(call.answered, call.answered + call.retry_after) for call in calls if call.retry_after]
    for call in calls:
        since = [call.arrived - began for began, ends in pauses if began < call.arrived < ends]
        if not since:
            continue
        if max(since) > CROSSING_SECONDS:
            report.calls_inside_a_retry_after += 1
        else:
            report.calls_that_crossed_a_429 += 1
            report.latest_of_those_ms = max(report.latest_of_those_ms, round(max(since) * 1000))
    report.refused_by_the_limits = sum(call.is_by_limits for call in calls)
    arrivals = [call.arrived for call in calls]
    report.most_calls_in_a_second = most_in_a_second(arrivals)
    by_chat = grouped(calls, lambda call: call.chat_id)
    gaps = [b.arrived - a.arrived for some in by_chat.values() for a, b in pairwise(some)]
    report.shortest_seconds_between_calls_to_a_chat = round(min(gaps, default=60.0), 3)
    report.most_calls_to_a_chat_that_is_gone = max(map(calls_after_the_end, by_chat.values()), default=0)


def most_in_a_second(arrivals: Sequence[float]) -> int:
    """The largest count in any half-open window of one second; `arrivals` ascend."""
    most = first = 0
    for last, arrived in enumerate(arrivals):
        while arrived - arrivals[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def calls_after_the_end(calls: list[Call]) -> int:
    ended = min((call.answered for call in calls if call.ends_chat), default=float("inf"))
    return sum(call.arrived > ended for call in calls)


def _judge_rows(calls: list[Call], rows: Sequence[Row], report: StormReport) -> None:
    by_row = grouped(calls, lambda call: call.delivery)
    subscriber_of = {row.public_id.hex: row.subscriber_id for row in rows}
    gone = {subscriber_of[call.delivery] for call in calls if call.ends_chat}
    for row in rows:
        own = by_row.get(row.public_id.hex, [])
        accepted = [call for call in own if call.is_accepted]
        in_doubt = any(call.outcome in AMBIGUOUS for call in own)
        refused = row.subscriber_id in gone or any(call.outcome in ("403", "400") for call in own)
        explained = {"sent": bool(accepted), "dead": refused and not in_doubt, "unknown": in_doubt}
        report.illegal_ends += not explained.get(row.state, False)
        report.lost += not accepted and not (row.state in ENDS and explained[row.state])
        report.rows_of_chats_that_are_gone_never_called += not own
        if len(accepted) > 1:
            report.sent_twice += 1
            report.sent_twice_without_a_doubt += any(call.outcome not in AMBIGUOUS for call in accepted[:-1])
            report.sent_twice_unmarked += not row.is_repeat
            report.sent_more_than_twice += len(accepted) > 2


def grouped(calls: Iterable[Call], key: Any) -> dict[Any, list[Call]]:
    groups = defaultdict(list)
    for call in calls:
        groups[key(call)].append(call)
    return groups


def total(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several reports as one: numbers are sums, but for the extremes."""
    extremes = {"latest": max, "most": max, "seconds": max, "shortest": min}
    whole: dict[str, Any] = {}
    for name in reports[0]:
        values = [report[name] for report in reports]
        if isinstance(values[0], dict):
            whole[name] = dict(sorted(sum((Counter(value) for value in values), Counter()).items()))
        elif isinstance(values[0], bool):
            whole[name] = any(values)
        elif isinstance(values[0], list):
            whole[name] = [item for value in values for item in value]
        else:
            whole[name] = extremes.get(name.split("_")[0], sum)(values)
    return whole

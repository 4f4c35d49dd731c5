"""The verdict. What arrived is told by the sandbox's journal, written and synced before it answers."""

from typing import Any

from notifications.models import Delivery, Feedback
from notifications.services.eligibility import Exclusion
from signals.engine.ledger import verify
from signals.models import LedgerEntry, Signal
from tests.chaos.blows import SENDER
from tests.chaos.processes import IN_FLIGHT
from tests.chaos.report import Report
from tests.chaos.system import System
from tests.notifications.rows import SENDS

Record = dict[str, Any]


def judge(system: System, report: Report) -> None:
    """Fill in what came of everything that was published and pressed."""
    signals = list(Signal.objects.order_by("ledger_entry_id"))
    rows = {row.public_id.hex: row for row in Delivery.objects.select_related("subscriber")}
    of_signals = sum(row.kind == "signal" for row in rows.values())
    report.signals = len(signals)
    report.signals_missing = system.released - len(signals)
    # A signal without one of its deliveries: everybody is eligible for everything here.
    report.signals_missing += len(signals) * system.plan.subscribers != of_signals
    report.deliveries = len(rows)
    report.states.update(row.state for row in rows.values())
    report.ledger_broken = int(verify(LedgerEntry.objects.entries()) is not None)
    report.taps = system.taps
    report.taps_without_effect = system.taps - Feedback.objects.count()
    judge_messages(arrivals(system.sandbox.journal(), rows), rows, report)


def arrivals(records: list[Record], rows: dict[str, Delivery]) -> dict[str, list[Record]]:
    """Accepted messages by delivery: a signal's by the name in its button, a follow-up's by what it answers."""
    found: dict[str, list[Record]] = {}
    outcomes = {
        (row.signal_id, row.subscriber_id): name for name, row in rows.items() if row.kind == "outcome"
    }
    name_of_message: dict[tuple[int, int], str] = {}
    for record in records:
        if record["method"] not in SENDS:
            continue
        if record["reply_markup"]:
            name = record["reply_markup"]["inline_keyboard"][0][0]["callback_data"].partition(":")[2]
            name_of_message[record["chat_id"], record["message_id"]] = name
        else:
            answered = record["message"]["reply_to_message"]["message_id"]
            original = rows[name_of_message[record["chat_id"], answered]]
            name = outcomes[original.signal_id, original.subscriber_id]
        found.setdefault(name, []).append(record)
    return found


def judge_messages(found: dict[str, list[Record]], rows: dict[str, Delivery], report: Report) -> None:
    report.accepted = sum(len(copies) for copies in found.values())
    report.accepted_pictures = sum(c["method"] == "sendPhoto" for copies in found.values() for c in copies)
    report.accepted_follow_ups = sum(
        len(copies) for name, copies in found.items() if rows[name].kind == "outcome"
    )
    unknown = {name for name, row in rows.items() if row.state == "unknown"}
    absent = rows.keys() - found.keys()
    report.left_unknown = len(unknown)
    report.left_unknown_and_never_arrived = len(unknown & absent)
    # Nobody knows that the signal arrived, so nobody is told how it ended; the row says why.
    of_unknown = {(rows[name].signal_id, rows[name].subscriber_id) for name in unknown}
    ended = {
        name
        for name in absent - unknown
        if rows[name].reason == Exclusion.SIGNAL_NOT_SENT
        and (rows[name].signal_id, rows[name].subscriber_id) in of_unknown
    }
    report.follow_ups_ended_with_an_unknown_signal = len(ended)
    report.lost = len(absent - unknown - ended)
    twice = {name: copies for name, copies in found.items() if len(copies) > 1}
    report.sent_twice = len(twice)
    report.sent_more_than_twice = sum(len(copies) > 2 for copies in twice.values())
    report.sent_twice_unmarked = sum(not _is_marked(rows[name], copies[1]) for name, copies in twice.items())
    interrupted = report.kills["sender"] + report.kills["postgres"]
    interrupted += sum(report.crash_points[point.value] for point in SENDER)
    report.sent_twice_allowed = interrupted * IN_FLIGHT


def _is_marked(row: Delivery, copy: Record) -> bool:
    return row.is_repeat and "(repeat)" in copy["text"] and copy["disable_notification"]

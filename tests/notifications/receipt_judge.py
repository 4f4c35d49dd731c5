"""What a receipt from the chat must be, for the lives of `test_delivery_properties`."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from notifications.models import Delivery
from notifications.services.reply import AnswerReply
from signals.models import Signal
from tests.notifications.chat import receive
from tests.static.test_verify_ledger import script

Ends = Iterable[tuple[Signal, datetime | None]]


def receipt_of(row: Delivery, chat_id: int, now: datetime) -> tuple[str, str]:
    """Press a button of /verify: the outcome on record, and the receipt as it would be sent; empty without one."""
    sender = {"id": chat_id, "is_bot": False, "first_name": "A"}
    query = {"id": "1", "from": sender, "data": "v:" + row.public_id.hex}
    reply, outcome = receive({"callback_query": query}, now)
    followed_by = reply.followed_by if isinstance(reply, AnswerReply) else None
    document = getattr(followed_by, "document", None)
    return outcome, document.content.decode().strip() if document else ""


def judge(text: str, signal: Signal, lived: Ends, *, delay: timedelta, now: datetime) -> None:
    """It verifies, is of this signal alone, and its head counts nothing that the tier may not know yet."""
    head = json.loads(text)["head"]
    told = script.check_receipt(script.parse(text), {head["public_key"]})
    assert told["public_id"] == str(signal.public_id)
    for other, ended_at in lived:
        assert other.pk == signal.pk or str(other.public_id) not in text, "it shows another signal"
        if other.ledger_entry_id <= head["size"]:
            assert other.published_at + delay <= now, "a signal is counted before its release"
        if ended_at is not None and other.outcome.ledger_entry_id <= head["size"]:
            assert ended_at + delay <= now, "an end is counted before its release"

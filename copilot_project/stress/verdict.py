"""The rows against the sandbox's journal, which knows better than they what Telegram accepted."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from notifications.models import OPEN_STATES, DeliveryState
from notifications.services.message.buttons import BUTTON_PREFIXES

REPEAT = "(repeat)"
NEVER_ACCEPTED = {DeliveryState.EXPIRED, DeliveryState.DEAD}


class Row(NamedTuple):
    """A delivery as the database has it; `name` is its public id in hexadecimal."""

    name: str
    state: str
    is_repeat: bool


@dataclass(frozen=True)
class Verdict:
    """Counts of deliveries: `deliveries` is the sum of the next five; the last two must be zero."""

    deliveries: int
    sent: int
    expired: int
    pending: int
    dead: int
    unknown: int
    lost: int
    doubled: int


def judge(*, owed: int, rows: Iterable[Row], journal: Iterable[Mapping[str, Any]]) -> Verdict:
    """`owed` is how many deliveries the committed signals should have; the journal's records are in order.

    Lost: owed but without a row; said to be sent but never accepted; accepted but said to have expired or died
    at the first attempt, so that our books are wrong. Doubled: every acceptance after a delivery's first, unless
    it is the one repeat that says so, sent silently, of a row that is marked as repeated.
    """
    accepted: dict[str, list[Mapping[str, Any]]] = {}
    for record in journal:
        if name := delivery_of(record):
            accepted.setdefault(name, []).append(record)
    states: Counter[str] = Counter()
    lost = doubled = 0
    for row in rows:
        copies = accepted.pop(row.name, [])
        states[row.state] += 1
        lost += row.state == DeliveryState.SENT and not copies
        lost += row.state in NEVER_ACCEPTED and bool(copies)
        doubled += len(copies) - 1 - _is_marked_repeat(row, copies) if copies else 0
    total = states.total()
    return Verdict(
        deliveries=total,
        sent=states[DeliveryState.SENT],
        expired=states[DeliveryState.EXPIRED],
        pending=sum(states[state] for state in OPEN_STATES),
        dead=states[DeliveryState.DEAD],
        unknown=states[DeliveryState.UNKNOWN],
        lost=lost + max(0, owed - total) + len(accepted),
        doubled=doubled + max(0, total - owed),
    )


def delivery_of(record: Mapping[str, Any]) -> str | None:
    """The delivery that an accepted message names in its first button; None for anything else."""
    markup = record.get("reply_markup")
    if not str(record["method"]).lower().startswith("send") or not markup:
        return None
    data = str(markup["inline_keyboard"][0][0].get("callback_data", ""))
    prefix = next((prefix for prefix in BUTTON_PREFIXES.values() if data.startswith(prefix)), None)
    return data.removeprefix(prefix) if prefix else None


def _is_marked_repeat(row: Row, copies: list[Mapping[str, Any]]) -> bool:
    if len(copies) < 2 or not row.is_repeat:
        return False
    return copies[1]["disable_notification"] is True and REPEAT in str(copies[1]["text"])

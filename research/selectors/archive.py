"""Columns of the archive: the same on the page and in its file."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from django.db.models import QuerySet

from signals.models import Signal

COUNTED_TO = 1_000  # beyond it the page says "more than"

# Each column with its way from the signal; what ends with the outcome is empty before there is one.
COLUMNS = {
    "sequence": "ledger_entry_id",
    "published_at": "published_at",
    "instrument": "instrument.symbol",
    "exchange": "instrument.exchange.code",
    **{
        name: name
        for name in (
            "timeframe",
            "source",
            "variant",
            "strategy",
            "direction",
            "confidence",
            "entry_price",
            "stop_loss",
            "take_profit",
            "sessions",
            "experimental",
            "expires_at",
        )
    },
    **{
        name: f"outcome.{name}"
        for name in ("exit_reason", "exited_at", "exit_price", "r_multiple", "return_ratio", "bars_held")
    },
    "reasons": "reasons",
}
SHOWN = (
    "published_at",
    "instrument",
    "direction",
    "strategy",
    "confidence",
    "r_multiple",
    "exit_reason",
    "reasons",
)


def chosen_columns(asked: list[str]) -> list[str]:
    """In the archive's order; those of the first visit where none of the asked exist."""
    return [name for name in COLUMNS if name in asked] or list(SHOWN)


def rows(signals: QuerySet[Signal], columns: list[str]) -> Iterator[list[Any]]:
    """One by one from the server, so that a file of any length is never whole in memory."""
    for signal in signals.select_related("instrument__exchange", "outcome").iterator(chunk_size=1000):
        yield row(signal, columns)


def row(signal: Signal, columns: list[str]) -> list[Any]:
    return [_cell(signal, name) for name in columns]


def count_to_limit(signals: QuerySet[Signal]) -> int:
    return signals.order_by()[: COUNTED_TO + 1].count()


def _cell(signal: Signal, name: str) -> Any:
    way = COLUMNS[name]
    if way.startswith("outcome.") and not hasattr(signal, "outcome"):
        return ""
    value = attrgetter(way)(signal)
    return " | ".join(value) if isinstance(value, list) else value

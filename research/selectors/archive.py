"""Columns of the archive: the same on the page and in its file."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from django.db.models import QuerySet

from signals.models import Signal

COUNTED_TO = 1_000  # beyond it the page says "more than"
FIRST_ROWS, ROWS_A_PAGE = 500, 4_000

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


def rows(signals: QuerySet[Signal], columns: list[str], most: int | None = None) -> Iterator[list[Any]]:
    """The newest `most` of them, or all: page by page along the ledger, so that a file of any length is never whole in
    memory and its beginning is as quick as a page."""
    lookups = [COLUMNS[name].replace(".", "__") for name in columns]
    asked = signals.order_by("-ledger_entry_id").values_list("ledger_entry_id", *lookups)
    size, given, page = FIRST_ROWS, 0, list(asked[:FIRST_ROWS])
    while page:
        for _, *values in page if most is None else page[: most - given]:
            yield [_plain(value) for value in values]
        given += len(page)
        if len(page) < size or (most is not None and given >= most):
            return
        size = ROWS_A_PAGE
        page = list(asked.filter(ledger_entry_id__lt=page[-1][0])[:size])


def row(signal: Signal, columns: list[str]) -> list[Any]:
    return [_cell(signal, name) for name in columns]


def count_to_limit(signals: QuerySet[Signal]) -> int:
    return signals.order_by()[: COUNTED_TO + 1].count()


def _cell(signal: Signal, name: str) -> Any:
    way = COLUMNS[name]
    if way.startswith("outcome.") and not hasattr(signal, "outcome"):
        return ""
    return _plain(attrgetter(way)(signal))


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    return " | ".join(value) if isinstance(value, list) else value

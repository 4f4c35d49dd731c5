"""The archive's other tables: orders, trades and decisions of autopilots, each with its filters and columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from operator import attrgetter
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.timezone import make_aware

from autopilot.models import Decision, Order, Trade
from signals.models import with_words


@dataclass(frozen=True)
class Kind:
    """columns: each with its way from the row. choices: filters that are equal, by their way in a query."""

    title: str
    model: type[Decision] | type[Order] | type[Trade]
    moment: str
    columns: Mapping[str, str]
    shown: tuple[str, ...]
    choices: Mapping[str, str]
    text: str
    related: tuple[str, ...]
    right: str


KINDS = {
    "orders": Kind(
        title="Orders",
        model=Order,
        moment="placed_at",
        columns={
            "id": "pk", "placed_at": "placed_at", "account": "account.name", "instrument": "instrument.symbol",
            "side": "side", "type": "type", "purpose": "purpose", "state": "state", "reason": "reason_code",
            "quantity": "quantity", "filled": "filled", "price": "price", "stop_price": "stop_price",
            "target_price": "target_price", "strategy": "strategy", "client_order_id": "client_order_id",
            "ended_at": "ended_at",
        },
        shown=("placed_at", "instrument", "side", "type", "purpose", "state", "quantity", "price", "reason"),
        choices={"state": "state", "side": "side", "purpose": "purpose", "type": "type", "strategy": "strategy",
                 "instrument": "instrument__symbol", "account": "account__name"},
        text="reason_code",
        related=("account", "instrument"),
        right="autopilot.view_order",
    ),
    "trades": Kind(
        title="Trades",
        model=Trade,
        moment="exited_at",
        columns={
            "id": "pk", "entered_at": "entered_at", "exited_at": "exited_at", "account": "account.name",
            "instrument": "instrument.symbol", "direction": "direction", "quantity": "quantity",
            "entry_price": "entry_price", "exit_price": "exit_price", "fees": "fees", "funding": "funding",
            "net_profit": "net_profit", "r_multiple": "r_multiple", "exit_reason": "exit_reason",
            "strategy": "strategy", "ambiguous": "is_ambiguous",
        },
        shown=("exited_at", "instrument", "direction", "net_profit", "r_multiple", "exit_reason", "strategy"),
        choices={"direction": "direction", "exit_reason": "exit_reason", "strategy": "strategy",
                 "instrument": "instrument__symbol", "account": "account__name"},
        text="strategy",
        related=("account", "instrument"),
        right="autopilot.view_trade",
    ),
    "decisions": Kind(
        title="Decisions",
        model=Decision,
        moment="decided_at",
        columns={
            "id": "pk", "decided_at": "decided_at", "instrument": "instance.instrument.symbol",
            "timeframe": "instance.timeframe", "mode": "mode", "outcome": "outcome", "regime": "regime",
            "group": "group", "strategy": "strategy", "direction": "direction", "score": "score",
            "threshold": "threshold", "reason_code": "reason_code", "reason": "reason", "fallback": "is_fallback",
        },
        shown=("decided_at", "instrument", "outcome", "strategy", "direction", "score", "reason"),
        choices={"outcome": "outcome", "mode": "mode", "regime": "regime", "strategy": "strategy",
                 "direction": "direction", "instrument": "instance__instrument__symbol"},
        text="reason",
        related=("instance__instrument",),
        right="autopilot.view_decision",
    ),
}  # fmt: skip


def narrowed(kind: Kind, asked: Mapping[str, Any]) -> QuerySet[Any]:
    """The newest row first. asked: values by the names of `choices`, besides `text`, `start` and `end`."""
    found = Q()
    for name, way in kind.choices.items():
        if asked.get(name):
            found &= Q(**{way: asked[name]})
    if asked.get("start"):
        found &= Q(**{f"{kind.moment}__gte": _midnight(asked["start"])})
    if asked.get("end"):
        found &= Q(**{f"{kind.moment}__lt": _midnight(asked["end"]) + timedelta(days=1)})
    rows: QuerySet[Any] = kind.model.objects.filter(found).select_related(*kind.related)
    if text := asked.get("text"):
        indexed = kind.text == "reason"
        rows = rows.filter(
            with_words(kind.model, text) if indexed else Q(**{f"{kind.text}__icontains": text})
        )
    return rows.order_by("-pk")


def kind_columns(kind: Kind, asked: list[str]) -> list[str]:
    """In the archive's order; those of the first visit where none of the asked exist."""
    return [name for name in kind.columns if name in asked] or list(kind.shown)


def kind_row(kind: Kind, each: Any, columns: list[str]) -> list[Any]:
    return [attrgetter(kind.columns[name])(each) for name in columns]


def kind_rows(kind: Kind, found: QuerySet[Any], columns: list[str]) -> Iterator[list[Any]]:
    """One by one from the server, so that a file of any length is never whole in memory."""
    for each in found.iterator(chunk_size=1000):
        yield kind_row(kind, each, columns)


def _midnight(day: date) -> datetime:
    return make_aware(datetime.combine(day, time()))

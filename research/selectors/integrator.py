"""Lists for programs, made into JSON by the database: no model is built for a row that is only copied.

What a key may see is an `Audience`: rows released by `cutoff`, which is now less the tier's delay. Signals and
outcomes are only ever added, so a list is told by the newest row in it: that is what `newest` is for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from django.db import connection
from psycopg import sql

from signals.models import KillSwitch, KillSwitchState
from users.models import Tier

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
# A publication draws its instant before it takes the ledger's lock: neighbours may stand the other way round.
NEIGHBOURS = 200
BEYOND_ALL = 2**63 - 1


@dataclass(frozen=True)
class Audience:
    """cutoff: published or recorded by then is released. experimental: whether such signals are included."""

    cutoff: datetime
    experimental: bool
    tier_id: int | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        return {"cutoff": self.cutoff, "experimental": self.experimental, "is_tier": self.tier_id is not None}


@dataclass(frozen=True)
class Page:
    """A JSON array; `last` is the cursor of its last row, None where it is empty."""

    text: str
    last: int | None
    rows: int


@dataclass(frozen=True)
class Listing:
    """A list's SQL. `fields` by their JSON names; `cursor` grows with time; `released` says what a tier may see."""

    fields: Mapping[str, LiteralString]
    source: LiteralString
    cursor: LiteralString
    released: LiteralString
    waiting: LiteralString
    filters: Mapping[str, LiteralString]
    stamp: LiteralString


SIGNAL_FIELDS: dict[str, LiteralString] = {
    "id": "s.public_id",
    "exchange_id": "i.exchange_id",
    "symbol": "i.symbol",
    "timeframe": "s.timeframe",
    "source": "s.source",
    "strategy": "s.strategy",
    "direction": "s.direction",
    "confidence": "s.confidence",
    "entry_price": "s.entry_price",
    "stop_loss": "s.stop_loss",
    "take_profit": "s.take_profit",
    "reasons": "s.reasons",
    "experimental": "s.experimental",
    "sessions": "s.sessions",
    "candle_open_time": "s.candle_open_time",
    "published_at": "s.published_at",
    "expires_at": "s.expires_at",
}
FROM_SIGNAL: LiteralString = "signals_signal s JOIN market_instrument i ON i.id = s.instrument_id"
OF_SIGNALS: dict[str, LiteralString] = {
    "id": "s.public_id = %(id)s",
    "instrument": "s.instrument_id = %(instrument)s",
    "timeframe": "s.timeframe = %(timeframe)s",
    "direction": "s.direction = %(direction)s",
    "strategy": "s.strategy = %(strategy)s",
    "source": "s.source = %(source)s",
    "min_confidence": "s.confidence >= %(min_confidence)s",
    "since": "s.published_at >= %(since)s",
    "until": "s.published_at < %(until)s",
}
RELEASED_SIGNAL: LiteralString = "s.published_at <= %(cutoff)s AND (NOT s.experimental OR %(experimental)s)"

SIGNALS = Listing(
    fields=SIGNAL_FIELDS,
    source=FROM_SIGNAL,
    cursor="s.sequence",
    released=RELEASED_SIGNAL,
    waiting="s.published_at > %(cutoff)s",
    filters=OF_SIGNALS,
    stamp="s.published_at",
)
OUTCOMES = Listing(
    fields={
        "signal_id": "s.public_id",
        "exchange_id": "i.exchange_id",
        "symbol": "i.symbol",
        "strategy": "s.strategy",
        "direction": "s.direction",
        "exit_reason": "o.exit_reason",
        "entered_at": "o.entered_at",
        "exited_at": "o.exited_at",
        "entry_price": "o.entry_price",
        "exit_price": "o.exit_price",
        "return_ratio": "o.return_ratio",
        "r_multiple": "o.r_multiple",
        "best_r": "o.best_r",
        "worst_r": "o.worst_r",
        "bars_held": "o.bars_held",
        "is_ambiguous": "o.is_ambiguous",
        "recorded_at": "o.recorded_at",
    },
    source="signals_signaloutcome o JOIN signals_signal s ON s.id = o.signal_id "
    "JOIN market_instrument i ON i.id = s.instrument_id",
    cursor="o.sequence",
    released="o.recorded_at <= %(cutoff)s AND " + RELEASED_SIGNAL,
    waiting="(o.recorded_at > %(cutoff)s OR s.published_at > %(cutoff)s)",
    filters=OF_SIGNALS
    | {
        "exit_reason": "o.exit_reason = %(exit_reason)s",
        "since": "o.recorded_at >= %(since)s",
        "until": "o.recorded_at < %(until)s",
    },
    stamp="o.recorded_at",
)
TRADES = Listing(
    fields={
        "id": "t.id",
        "signal_id": "s.public_id",
        "exchange_id": "i.exchange_id",
        "symbol": "i.symbol",
        "strategy": "t.strategy",
        "direction": "t.direction",
        "quantity": "t.quantity::text",
        "entry_price": "t.entry_price::text",
        "exit_price": "t.exit_price::text",
        "fees": "t.fees::text",
        "funding": "t.funding::text",
        "net_profit": "t.net_profit::text",
        "r_multiple": "t.r_multiple",
        "exit_reason": "t.exit_reason",
        "is_ambiguous": "t.is_ambiguous",
        "entered_at": "t.entered_at",
        "exited_at": "t.exited_at",
        "recorded_at": "t.recorded_at",
    },
    source="autopilot_trade t JOIN market_instrument i ON i.id = t.instrument_id "
    "LEFT JOIN signals_signal s ON s.id = t.signal_id",
    cursor="t.id",
    # A trade without a signal is the system's own business.
    released="t.recorded_at <= %(cutoff)s AND ((s.id IS NULL AND NOT %(is_tier)s) OR (s.id IS NOT NULL AND "
    + RELEASED_SIGNAL
    + "))",
    waiting="(t.recorded_at > %(cutoff)s OR s.published_at > %(cutoff)s)",
    filters={
        "instrument": "t.instrument_id = %(instrument)s",
        "strategy": "t.strategy = %(strategy)s",
        "direction": "t.direction = %(direction)s",
        "exit_reason": "t.exit_reason = %(exit_reason)s",
        "since": "t.recorded_at >= %(since)s",
        "until": "t.recorded_at < %(until)s",
    },
    stamp="t.recorded_at",
)


def audience_of(tier: Tier | None, *, now: datetime) -> Audience:
    """What somebody of this tier may see at `now`; without one, all. While the kill switch is engaged a tier gets
    nothing that its subscribers do not get either.
    """
    if tier is None:
        return Audience(cutoff=now, experimental=True)
    until = now
    switch = KillSwitch.objects.first()
    if switch is None:
        until = NEVER
    elif switch.state == KillSwitchState.ENGAGED:
        until = min(now, switch.changed_at)
    return Audience(until - timedelta(seconds=tier.delay_seconds), tier.experimental, tier.pk)


def newest(listing: Listing, audience: Audience) -> str:
    """Changes whenever something is added to what the audience may see."""
    query = sql.SQL(
        "SELECT coalesce(max(cursor), 0)::text || ' ' || coalesce(max(stamp)::text, '') FROM"
        " (SELECT {cursor} AS cursor, {stamp} AS stamp FROM {source} WHERE {released}"
        " ORDER BY {cursor} DESC LIMIT {neighbours}) AS last"
    ).format(
        cursor=sql.SQL(listing.cursor),
        stamp=sql.SQL(listing.stamp),
        source=sql.SQL(listing.source),
        released=sql.SQL(listing.released),
        neighbours=NEIGHBOURS,
    )
    with connection.cursor() as cursor:
        cursor.execute(query, audience.parameters)
        return str(cursor.fetchone()[0])


def page(
    listing: Listing,
    audience: Audience,
    *,
    wanted: Mapping[str, Any],
    after: int | None,
    oldest_first: bool,
    limit: int,
) -> Page:
    """At most `limit` rows beyond the cursor `after`, newest first or oldest first.

    Oldest first, it stops before the first row that is not released yet: whoever goes on from its cursor misses none.
    """
    parameters = {**audience.parameters, **wanted, "after": after, "limit": limit}
    conditions = [listing.released, *(listing.filters[name] for name in wanted)]
    if after is not None:
        conditions.append(listing.cursor + (" > %(after)s" if oldest_first else " < %(after)s"))
    if oldest_first and audience.tier_id is not None:
        parameters["barrier"] = first_waiting(listing, audience, after=after)
        conditions.append(listing.cursor + " < %(barrier)s")
    query = sql.SQL(
        "SELECT coalesce(json_agg(row ORDER BY place {order}), '[]')::text, {last}(place), count(*)"
        " FROM (SELECT json_build_object({fields}) AS row, {cursor} AS place FROM {source}"
        " WHERE {conditions} ORDER BY {cursor} {order} LIMIT %(limit)s) AS found"
    ).format(
        fields=sql.SQL(", ").join(
            sql.SQL("{}, {}").format(sql.Literal(name), sql.SQL(value))
            for name, value in listing.fields.items()
        ),
        cursor=sql.SQL(listing.cursor),
        source=sql.SQL(listing.source),
        conditions=sql.SQL(" AND ").join(map(sql.SQL, conditions)),
        last=sql.SQL("max" if oldest_first else "min"),
        order=sql.SQL("ASC" if oldest_first else "DESC"),
    )
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        text, last, rows = cursor.fetchone()
    return Page(text, last, rows)


def first_waiting(listing: Listing, audience: Audience, *, after: int | None) -> int:
    """The cursor of the first row beyond `after` that is still to be released."""
    query = sql.SQL("SELECT min({cursor}) FROM {source} WHERE {waiting} AND {cursor} > %(after)s").format(
        cursor=sql.SQL(listing.cursor), source=sql.SQL(listing.source), waiting=sql.SQL(listing.waiting)
    )
    with connection.cursor() as cursor:
        cursor.execute(query, {**audience.parameters, "after": after or 0})
        found = cursor.fetchone()[0]
    return BEYOND_ALL if found is None else int(found)

"""Signals that have ended, as columns: packed blocks, and rows for what no block holds yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from django.db import connection

from research.engine.ended_signals import (
    ANSWERS,
    CODED,
    ROW,
    SESSIONS,
    EndedSignals,
    joined,
    unpacked,
)
from research.models import EndedChunk

SELECT = """SELECT o.sequence, o.signal_id, o.r_multiple, extract(epoch FROM o.exited_at)::float8,
  extract(epoch FROM s.published_at)::float8, extract(epoch FROM s.expires_at)::float8, s.confidence, s.instrument_id,
  s.strategy, s.source || CASE s.variant WHEN '' THEN '' ELSE ', variant ' || s.variant END,
  coalesce(e.features ->> 'regime', ''), s.sessions, s.experimental, coalesce(f.answer, 'no answer')
FROM signals_signaloutcome o JOIN signals_signal s ON s.id = o.signal_id
LEFT JOIN signals_evaluation e ON e.signal_id = s.id
LEFT JOIN (
  SELECT d.signal_id, min(a.answer) AS answer FROM notifications_feedback a
  JOIN notifications_delivery d ON d.id = a.delivery_id GROUP BY d.signal_id
) f ON f.signal_id = s.id
WHERE o.sequence > %s AND o.sequence <= %s ORDER BY o.sequence LIMIT %s"""
END = 2**62


def ended_signals(*, start: datetime, end: datetime, delays: Sequence[int] = ()) -> EndedSignals:
    """Those that ended in [start, end). A later entry that no block has followed yet is left open."""
    chunks = list(EndedChunk.objects.defer("data").order_by("first_sequence"))
    newest = chunks[-1].last_sequence if chunks else 0
    inside = [each for each in chunks if each.last_exited_at >= start and each.first_exited_at < end]
    data = _data([each.pk for each in inside])
    parts = [
        unpacked(data[each.pk], count=each.count, names=each.names, delays=each.delays) for each in inside
    ]
    tail, _ = ended_rows(after=newest)
    found = joined([*parts, tail], delays)
    first, last = np.searchsorted(found.rows["exited"], (start.timestamp(), end.timestamp()))
    return EndedSignals(
        found.rows[first:last], found.names, {delay: each[first:last] for delay, each in found.late.items()}
    )


def _data(keys: list[int]) -> dict[int, bytes]:
    """Megabytes: as they are, not as the text in which Django's cursor would get them."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            "SELECT first_sequence, data FROM research_endedchunk WHERE first_sequence = ANY(%s)",
            (keys,),
            binary=True,
        )
        return dict(cursor.fetchall())


def ended_rows(*, after: int, until: int = END, limit: int | None = None) -> tuple[EndedSignals, list[int]]:
    """Straight from the tables, in the ledger's order, and the sequence of each outcome."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(SELECT, (after, until, limit), binary=True)
        found = cursor.fetchall()
    columns = list(zip(*found, strict=True)) or [()] * 14
    rows = np.empty(len(found), dtype=ROW)
    names: dict[str, list[str]] = {}
    for name, place in (("signal", 1), ("r", 2), ("exited", 3), ("published", 4), ("expires", 5)):
        rows[name] = columns[place]
    rows["confidence"], rows["instrument"], rows["experimental"] = columns[6], columns[7], columns[12]
    for name, column in zip(CODED, columns[8:11], strict=True):
        names[name] = sorted(set(column))
        places = {each: number for number, each in enumerate(names[name])}
        rows[name] = [places[each] for each in column]
    rows["session"] = [_bits(each) for each in columns[11]]
    rows["answer"] = [ANSWERS.index(each) for each in columns[13]]
    return EndedSignals(rows, names, {}), list(columns[0])


def _bits(sessions: Any) -> int:
    return sum(1 << SESSIONS.index(each) for each in sessions)

"""Appending to the ledger: one writer at a time, in the transaction that writes what the entry records."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from signals.engine.ledger import GENESIS_HASH, SALT_BYTES, Entry, EntryKind, new_entry
from signals.models import LedgerEntry

# Any number that no other advisory lock of this database uses. One holder at a time, until its commit.
LEDGER_LOCK = 7_305_001


def append_entries(*, kind: EntryKind, facts: Sequence[Mapping[str, Any]]) -> list[LedgerEntry]:
    """Write one entry for each of `facts`, in order. The caller's transaction keeps the ledger's end until it ends."""
    sequence, prev_hash = hold_end()
    rows: list[LedgerEntry] = []
    for each in facts:
        entry = next_entry(kind, each, sequence, prev_hash)
        sequence, prev_hash = entry.sequence, entry.hash
        rows.append(LedgerEntry.of(entry))
    return LedgerEntry.objects.bulk_create(rows)


def next_entry(kind: EntryKind, facts: Mapping[str, Any], sequence: int, prev_hash: str) -> Entry:
    """What follows the entry with this sequence and hash."""
    salt = secrets.token_bytes(SALT_BYTES)
    return new_entry(kind, facts, sequence=sequence + 1, prev_hash=prev_hash, salt=salt)


def hold_end() -> tuple[int, str]:
    """Sequence and hash of the last entry; no other can be appended until the caller's transaction ends.

    Two statements in one round trip: the second sees what was committed while the first waited.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s); "
            "SELECT sequence, hash FROM signals_ledgerentry ORDER BY sequence DESC LIMIT 1",
            [LEDGER_LOCK],
        )
        cursor.nextset()
        return cursor.fetchone() or (0, GENESIS_HASH)

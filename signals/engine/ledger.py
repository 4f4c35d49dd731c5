"""The tamper-evident chain: each entry's hash covers its content and the hash before it.

Anyone can check it with a JSON library and SHA-256:
hash = sha256(prev_hash + "\\n" + canonical JSON of the payload), the first prev_hash being 64 zeros.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from typing import Any

GENESIS_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One published row as it was stored; sequences begin at 1 and have no gaps."""

    sequence: int
    prev_hash: str
    hash: str
    payload: Mapping[str, Any]


def canonical_json(payload: Mapping[str, Any]) -> str:
    """The one spelling of `payload`: sorted keys, no spaces, shortest floats, instants in UTC.

    Instants become ISO-8601 with six digits and Z; enums their value. ValueError on NaN, infinity or a
    naive datetime, TypeError on Decimal (its trailing zeros do not survive a database: pass str or float)
    and on anything else that JSON does not know.
    """
    return json.dumps(
        _plain(payload), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def entry_hash(prev_hash: str, payload: Mapping[str, Any]) -> str:
    """SHA-256 (hex) that chains `payload` to the entry before it."""
    return sha256(f"{prev_hash}\n{canonical_json(payload)}".encode()).hexdigest()


def verify(entries: Iterable[LedgerEntry]) -> int | None:
    """First sequence at which the chain, given from its beginning, is broken; None if it is whole.

    A missing or inserted entry is found at the sequence where another one was expected. Entries cut off
    the end leave a shorter whole chain: only a hash kept elsewhere reveals that.
    """
    expected, prev_hash = 1, GENESIS_HASH
    for entry in entries:
        if (
            entry.sequence != expected
            or entry.prev_hash != prev_hash
            or entry.hash != entry_hash(prev_hash, entry.payload)
        ):
            return expected
        expected, prev_hash = expected + 1, entry.hash
    return None


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        raise TypeError(f"Decimal {value} has no canonical form: pass str or float")
    return value


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys must be text, not {key!r}")
    return str(key)


def _instant(moment: datetime) -> str:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment} is naive: the ledger holds instants")
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"

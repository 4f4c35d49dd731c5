"""The tamper-evident chain of what was published and what came of it. docs/ledger.md says how to check it.

    leaf = SHA-256(0x00 || salt || payload)          an RFC 6962 leaf; the salt keeps a hash from being guessed
    hash = SHA-256(0x02 || prev_hash || leaf)        the first prev_hash is 32 zero bytes

The payload is canonical JSON (RFC 8785) and names its own sequence, kind and schema, so one hash covers them all.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from hashlib import sha256
from typing import Any

import rfc8785

GENESIS_HASH = "0" * 64
SCHEMA_VERSION = 2  # 2: signals carry their exit plan and what the gate said of them; docs/ledger.md
SALT_BYTES = 32
LEAF, LINK = b"\x00", b"\x02"  # 0x01 marks an inner node of the tree (`merkle`)


class EntryKind(StrEnum):
    SIGNAL = "signal"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger as it was stored; sequences begin at 1 and have no gaps. Hashes are hex."""

    sequence: int
    kind: EntryKind
    schema_version: int
    payload: bytes
    salt: bytes
    prev_hash: str
    hash: str


def new_entry(
    kind: EntryKind, facts: Mapping[str, Any], *, sequence: int, prev_hash: str, salt: bytes
) -> Entry:
    """The entry that records `facts` behind the one with `prev_hash`. ValueError for a salt of another length."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    header = {"kind": kind.value, "schema": SCHEMA_VERSION, "sequence": sequence}
    payload = canonical_json({**facts, **header})
    own_hash = chain_hash(prev_hash, leaf_hash(salt, payload))
    return Entry(sequence, kind, SCHEMA_VERSION, payload, salt, prev_hash, own_hash)


def leaf_hash(salt: bytes, payload: bytes) -> bytes:
    """What the Merkle tree and the chain hold of an entry; tells nothing of it without its salt."""
    return sha256(LEAF + salt + payload).digest()


def chain_hash(prev_hash: str, leaf: bytes) -> str:
    """SHA-256 (hex) that chains an entry's leaf to everything before it."""
    return sha256(LINK + bytes.fromhex(prev_hash) + leaf).hexdigest()


def verify(entries: Iterable[Entry]) -> int | None:
    """First sequence at which the chain, given from its beginning, is broken; None if it is whole.

    Every hash is computed anew, from the first entry on; the stored ones are only compared. A missing or
    inserted entry is found at the sequence where another one was expected. Entries cut off the end leave a
    shorter whole chain: only a signed head reveals that.
    """
    expected, prev_hash = 1, GENESIS_HASH
    for entry in entries:
        own_hash = chain_hash(prev_hash, leaf_hash(entry.salt, entry.payload))
        stored = (entry.sequence, entry.prev_hash, entry.hash)
        if stored != (expected, prev_hash, own_hash) or not _names_itself(entry):
            return expected
        expected, prev_hash = expected + 1, own_hash
    return None


def _names_itself(entry: Entry) -> bool:
    """Whether the payload is canonical and says the same sequence, kind and schema as the row."""
    try:
        said = json.loads(entry.payload)
        header = {"kind": entry.kind, "schema": entry.schema_version, "sequence": entry.sequence}
        return isinstance(said, dict) and said == said | header and canonical_json(said) == entry.payload
    except ValueError:
        return False


def canonical_json(payload: Mapping[str, Any]) -> bytes:
    """The one spelling of `payload` by RFC 8785, so that a reader in any language gets the same bytes.

    Instants become ISO-8601 with six digits and Z; enums their value. ValueError on NaN, infinity, integers
    beyond 2**53, lone surrogates or a naive datetime, TypeError on Decimal (its trailing zeros do not survive
    a database: pass str or float) and on anything else that JSON does not know.
    """
    return rfc8785.dumps(_plain(payload))


def instant(moment: datetime) -> str:
    """ISO-8601 in UTC with six digits and Z: the only way in which the ledger writes a time."""
    if moment.utcoffset() is None:
        raise ValueError(f"{moment} is naive: the ledger holds instants")
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _plain(value: object) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} has no canonical form: pass str or float")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys must be text, not {key!r}")
    return str(key)

"""Ledgers for tests that need no database: chains, exports, and heads signed by a key of theirs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signals.engine.ledger import GENESIS_HASH, Entry, EntryKind, canonical_json, leaf_hash, new_entry
from signals.engine.ledger_head import Head, export_line, receipt, signed
from signals.engine.merkle import merkle_root

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC_KEY = KEY.public_key().public_bytes_raw().hex()


def make_chain(length: int) -> list[Entry]:
    """Signals, each third entry an outcome; with text beyond ASCII and numbers of every size."""
    entries: list[Entry] = []
    prev_hash = GENESIS_HASH
    for sequence in range(1, length + 1):
        kind = EntryKind.SIGNAL if sequence % 3 else EntryKind.OUTCOME
        facts = {
            "symbol": f"T{sequence}/USDT",
            "entry_price": 1.5e-9 * 7**sequence if sequence < 30 else sequence / 7,
            "reasons": ['RSI zurück über 30 → "turned" up', "ATR\t0.1"],
            "published_at": NOON + timedelta(hours=sequence),
            "experimental": bool(sequence % 2),
        }
        salt = sha256(sequence.to_bytes(8, "big")).digest()
        entries.append(new_entry(kind, facts, sequence=sequence, prev_hash=prev_hash, salt=salt))
        prev_hash = entries[-1].hash
    return entries


def leaves_of(entries: Sequence[Entry]) -> list[bytes]:
    return [leaf_hash(entry.salt, entry.payload) for entry in entries]


def make_head(entries: Sequence[Entry], key: Ed25519PrivateKey = KEY, **values: Any) -> dict[str, Any]:
    """A signed head over all of `entries`."""
    stated = {
        "size": len(entries),
        "chain_hash": entries[-1].hash,
        "root_hash": merkle_root(leaves_of(entries)).hex(),
        "previous": GENESIS_HASH,
        "signed_at": NOON,
        "public_key": key.public_key().public_bytes_raw().hex(),
    }
    head = Head(**stated | values)
    return signed(head, key.sign(head.statement()))


def make_export(entries: Sequence[Entry]) -> bytes:
    return b"".join(export_line(entry) + b"\n" for entry in entries)


def make_receipt(entries: Sequence[Entry], sequence: int, **values: Any) -> dict[str, Any]:
    entry = entries[sequence - 1]
    made = receipt(
        payload=json.loads(entry.payload),
        salt=entry.salt,
        index=sequence - 1,
        leaves=leaves_of(entries),
        head=make_head(entries),
    )
    return made | values


def as_text(value: dict[str, Any]) -> str:
    return canonical_json(value).decode()

"""What the signed head of the ledger states, and the receipt of one entry under it. docs/ledger.md has the fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from signals.engine.ledger import GENESIS_HASH, Entry, canonical_json, instant
from signals.engine.merkle import audit_path

HEAD_TYPE, RECEIPT_TYPE, FORMAT_VERSION = "copilot-ledger-head", "copilot-ledger-receipt", 1


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain and the root of the tree over its first `size` entries. All but `signed_at` hex.

    previous: SHA-256 of what the head before stated, 64 zeros for the first. So heads are a chain of their own,
    which a change of the key does not break.
    """

    size: int
    chain_hash: str
    root_hash: str
    previous: str
    signed_at: datetime
    public_key: str

    def fields(self) -> dict[str, Any]:
        return {
            "type": HEAD_TYPE,
            "version": FORMAT_VERSION,
            "size": self.size,
            "chain_hash": self.chain_hash,
            "root_hash": self.root_hash,
            "previous": self.previous,
            "signed_at": instant(self.signed_at),
            "public_key": self.public_key,
        }

    def statement(self) -> bytes:
        """The bytes that the signature covers."""
        return canonical_json(self.fields())

    def digest(self) -> str:
        """How the next head refers to this one."""
        return sha256(self.statement()).hexdigest()


def digest_of(head: Head | None) -> str:
    return head.digest() if head else GENESIS_HASH


def signed(head: Head, signature: bytes) -> dict[str, Any]:
    """The head as it is published."""
    return head.fields() | {"signature": signature.hex()}


def receipt(
    *, payload: Any, salt: bytes, index: int, leaves: Sequence[bytes], head: dict[str, Any]
) -> dict[str, Any]:
    """Proof that the entry at `index` (from 0) is among the `leaves` whose root the signed `head` states.

    Of the other entries it holds salted hashes only.
    """
    return {
        "type": RECEIPT_TYPE,
        "version": FORMAT_VERSION,
        "payload": payload,
        "salt": salt.hex(),
        "path": [each.hex() for each in audit_path(leaves, index)],
        "head": head,
    }


def export_line(entry: Entry) -> bytes:
    """One line of an export, without its end: canonical JSON around the payload as it was hashed."""
    return b'{"hash":"%b","payload":%b,"prev_hash":"%b","salt":"%b"}' % (
        entry.hash.encode(),
        entry.payload,
        entry.prev_hash.encode(),
        entry.salt.hex().encode(),
    )

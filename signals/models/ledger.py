"""The ledger's rows as they were hashed, and the heads that sign them (`signals.engine.ledger`, docs/ledger.md)."""

from collections.abc import Iterator
from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Q

from signals.engine.ledger import Entry, EntryKind
from signals.engine.ledger_head import Head, signed
from signals.models.truncation import never_truncated


class LedgerQuerySet(models.QuerySet["LedgerEntry"]):
    def entries(self) -> Iterator[Entry]:
        """Oldest first, a few thousand at a time."""
        return (row.as_entry() for row in self.order_by("sequence").iterator(chunk_size=2000))


class LedgerEntry(models.Model):
    """One published signal or its outcome. Rows are only ever added: triggers refuse UPDATE, DELETE and TRUNCATE.

    `payload` is kept byte for byte as it was hashed, so that nothing which changes elsewhere can touch it.
    """

    sequence = models.BigIntegerField(primary_key=True, help_text="Gapless position in the ledger, from 1.")
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value.title()) for kind in EntryKind])
    schema_version = models.PositiveSmallIntegerField(help_text="Of the payload: docs/ledger.md.")
    payload = models.BinaryField(help_text="Canonical JSON (RFC 8785).")
    salt = models.BinaryField(help_text="32 random bytes: the hash alone tells nothing of the payload.")
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    objects = LedgerQuerySet.as_manager()

    class Meta:
        ordering = ["-sequence"]
        get_latest_by = "sequence"
        verbose_name_plural = "ledger entries"
        constraints = [
            models.CheckConstraint(name="signals_ledger_begins_at_one", condition=Q(sequence__gte=1)),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "the ledger is append-only: it cannot be truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence}: {self.kind}"

    @classmethod
    def of(cls, entry: Entry) -> "LedgerEntry":
        """The row of an entry, not yet written."""
        return cls(
            sequence=entry.sequence,
            kind=entry.kind.value,
            schema_version=entry.schema_version,
            payload=entry.payload,
            salt=entry.salt,
            prev_hash=entry.prev_hash,
            hash=entry.hash,
        )

    def as_entry(self) -> Entry:
        return Entry(
            self.sequence,
            EntryKind(self.kind),
            self.schema_version,
            bytes(self.payload),
            bytes(self.salt),
            self.prev_hash,
            self.hash,
        )


class LedgerHead(models.Model):
    """A signed statement of the chain's end and of the Merkle root over everything up to it; made daily."""

    size = models.BigIntegerField(help_text="How many entries it covers: those with sequences 1 to this.")
    chain_hash = models.CharField(max_length=64, help_text="Hash of the last of them.")
    root_hash = models.CharField(max_length=64, help_text="RFC 6962 root over their salted leaves.")
    previous = models.CharField(max_length=64, help_text="SHA-256 of what the head before states.")
    signed_at = models.DateTimeField(unique=True)
    public_key = models.CharField(max_length=64, help_text="Ed25519 key that checks the signature, hex.")
    signature = models.CharField(max_length=128)

    class Meta:
        ordering = ["-id"]
        get_latest_by = "id"
        constraints = [
            models.CheckConstraint(name="signals_head_covers_something", condition=Q(size__gte=1)),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "heads of the ledger are only ever added"),
        ]

    def __str__(self) -> str:
        return f"{self.size} entries, {self.signed_at:%Y-%m-%d %H:%M} UTC"

    def as_head(self) -> Head:
        return Head(
            self.size, self.chain_hash, self.root_hash, self.previous, self.signed_at, self.public_key
        )

    def as_json(self) -> dict[str, Any]:
        """As it is published: `signals.engine.ledger_head` with the signature."""
        return signed(self.as_head(), bytes.fromhex(self.signature))

"""Signing the ledger's end once a day, after checking everything that was appended so far."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import structlog
from django.db import connection, transaction

from signals.engine.ledger import Entry, leaf_hash, verify
from signals.engine.ledger_head import Head, digest_of
from signals.engine.merkle import merkle_root
from signals.models import Alarm, LedgerEntry, LedgerHead
from signals.services.ledger_key import LedgerKeyMissingError, public_hex, signing_key

logger = structlog.get_logger(__name__)

# Any number that no other advisory lock of this database uses. Heads are chained, so they are made one by one.
HEAD_LOCK = 7_305_003
ALARM = "ledger"


class LedgerBrokenError(Exception):
    """Stored entries are not those that were appended; `sequence` is the first that is bad."""

    def __init__(self, sequence: int) -> None:
        super().__init__(f"the ledger is broken at sequence {sequence}: no head is signed")
        self.sequence = sequence


def sign_daily_head(*, now: datetime) -> LedgerHead | None:
    """The day's head, if it was not signed yet and there is something to sign. A broken ledger raises an alarm."""
    newest = LedgerHead.objects.first()
    if newest and newest.signed_at.astimezone(UTC).date() >= now.astimezone(UTC).date():
        return None
    try:
        return sign_head(now=now)
    except LedgerBrokenError as error:
        logger.error("alarm: the ledger is broken", sequence=error.sequence)  # noqa: TRY400
        Alarm.objects.get_or_create(
            name=ALARM, cleared_at=None, defaults={"raised_at": now, "detail": str(error)}
        )
        return None
    except LedgerKeyMissingError as error:
        logger.warning(str(error))
        return None


def sign_head(*, now: datetime) -> LedgerHead | None:
    """Sign the ledger as it stands; None while it is empty.

    Raises LedgerBrokenError when the chain does not hold, or does not begin with what the last head signed, and
    LedgerKeyMissingError.
    """
    key = signing_key()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [HEAD_LOCK])
        before = LedgerHead.objects.first()
        leaves, last = checked_leaves(before)
        if last is None:
            return None
        head = Head(
            size=last.sequence,
            chain_hash=last.hash,
            root_hash=merkle_root(leaves).hex(),
            previous=digest_of(before.as_head() if before else None),
            signed_at=now,
            public_key=public_hex(key),
        )
        row = LedgerHead.objects.create(
            size=head.size,
            chain_hash=head.chain_hash,
            root_hash=head.root_hash,
            previous=head.previous,
            signed_at=head.signed_at,
            public_key=head.public_key,
            signature=key.sign(head.statement()).hex(),
        )
        Alarm.objects.filter(name=ALARM, cleared_at=None).update(cleared_at=now)
        transaction.on_commit(partial(logger.info, "ledger head signed", size=row.size, root=row.root_hash))
    return row


def checked_leaves(before: LedgerHead | None) -> tuple[list[bytes], Entry | None]:
    """Leaf hashes of all entries, and the last of them, after computing every hash anew."""
    leaves: list[bytes] = []
    last: Entry | None = None

    def noted() -> Iterator[Entry]:
        nonlocal last
        for entry in LedgerEntry.objects.entries():
            leaves.append(leaf_hash(entry.salt, entry.payload))
            last = entry
            yield entry

    if broken := verify(noted()):
        raise LedgerBrokenError(broken)
    if before and (before.size > len(leaves) or merkle_root(leaves[: before.size]).hex() != before.root_hash):
        raise LedgerBrokenError(first_beyond_intact_head(leaves))
    return leaves, last


def first_beyond_intact_head(leaves: list[bytes]) -> int:
    """The first sequence that no head vouches for any more: a chain made anew tells no more than that."""
    for head in LedgerHead.objects.all():  # the newest first
        if head.size <= len(leaves) and merkle_root(leaves[: head.size]).hex() == head.root_hash:
            return head.size + 1
    return 1

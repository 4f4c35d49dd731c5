import hashlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from signals.engine.ledger import GENESIS_HASH, LedgerEntry, canonical_json, entry_hash, verify
from signals.engine.strategy import Direction

PAYLOAD = {
    "symbol": "BTC/USDT",
    "direction": Direction.LONG,
    "confidence": 0.1 + 0.2,
    "published_at": datetime(2025, 10, 10, 23, 0, tzinfo=timezone(timedelta(hours=2))),
    "reasons": ("RSI zurück über 30",),
}
CANONICAL = (
    '{"confidence":0.30000000000000004,"direction":"long","published_at":"2025-10-10T21:00:00.000000Z",'
    '"reasons":["RSI zurück über 30"],"symbol":"BTC/USDT"}'
)


def chain(length: int) -> list[LedgerEntry]:
    entries, prev_hash = [], GENESIS_HASH
    for sequence in range(1, length + 1):
        payload = {"price": sequence * 1.5}
        digest = entry_hash(prev_hash, payload)
        entries.append(LedgerEntry(sequence, prev_hash, digest, payload))
        prev_hash = digest
    return entries


def test_a_payload_has_one_spelling_whatever_its_order_and_zone() -> None:
    assert canonical_json(PAYLOAD) == CANONICAL
    assert canonical_json(dict(reversed(PAYLOAD.items()))) == CANONICAL


def test_the_hash_can_be_recomputed_with_a_hash_function_alone() -> None:
    text = "0" * 64 + "\n" + CANONICAL
    assert entry_hash(GENESIS_HASH, PAYLOAD) == hashlib.sha256(text.encode("utf-8")).hexdigest()


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (datetime(2025, 1, 1), ValueError),  # noqa: DTZ001
        (Decimal("1.10"), TypeError),
        ({1: "a"}, TypeError),
        ({1, 2}, TypeError),
    ],
)
def test_what_has_no_single_spelling_is_refused(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        canonical_json({"value": value})


def test_an_untouched_chain_is_whole() -> None:
    assert verify(chain(20)) is None
    assert verify([]) is None


@pytest.mark.parametrize("victim", [0, 7, 19])
def test_a_changed_payload_is_found_at_its_sequence(victim: int) -> None:
    entries = chain(20)
    entries[victim] = replace(entries[victim], payload={"price": 1.0})
    assert verify(entries) == victim + 1


@pytest.mark.parametrize("victim", [0, 7, 18])
def test_a_change_with_its_own_hash_made_anew_is_found_at_the_next_sequence(victim: int) -> None:
    entries = chain(20)
    forged = {"price": 1.0}
    entries[victim] = replace(
        entries[victim], payload=forged, hash=entry_hash(entries[victim].prev_hash, forged)
    )
    assert verify(entries) == victim + 2


@pytest.mark.parametrize("victim", [0, 7, 18])
def test_a_deleted_entry_is_found_where_it_stood(victim: int) -> None:
    entries = chain(20)
    del entries[victim]
    assert verify(entries) == victim + 1


def test_swapped_entries_are_found_at_the_first_of_them() -> None:
    entries = chain(20)
    entries[4], entries[5] = entries[5], entries[4]
    assert verify(entries) == 5


def test_an_inserted_entry_is_found_where_it_was_put() -> None:
    entries = chain(20)
    extra = {"price": 9.0}
    entries.insert(4, LedgerEntry(5, entries[3].hash, entry_hash(entries[3].hash, extra), extra))
    assert verify(entries) == 6
    entries[4] = replace(entries[4], sequence=99)
    assert verify(entries) == 5


def test_entries_renumbered_after_a_deletion_are_found_by_the_chain() -> None:
    entries = chain(20)
    del entries[7]
    entries = [replace(entry, sequence=place) for place, entry in enumerate(entries, start=1)]
    assert verify(entries) == 8

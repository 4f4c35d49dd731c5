"""One spelling, one chain; whatever is changed afterwards is found where it stands."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from signals.engine.ledger import GENESIS_HASH, Entry, EntryKind, canonical_json, new_entry, verify
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


def salt_of(sequence: int) -> bytes:
    return hashlib.sha256(str(sequence).encode()).digest()


def entry(sequence: int, prev_hash: str, price: float) -> Entry:
    return new_entry(
        EntryKind.SIGNAL, {"price": price}, sequence=sequence, prev_hash=prev_hash, salt=salt_of(sequence)
    )


def chain(length: int) -> list[Entry]:
    entries, prev_hash = [], GENESIS_HASH
    for sequence in range(1, length + 1):
        entries.append(entry(sequence, prev_hash, sequence * 1.5))
        prev_hash = entries[-1].hash
    return entries


def test_a_payload_has_one_spelling_whatever_its_order_and_zone() -> None:
    assert canonical_json(PAYLOAD).decode() == CANONICAL
    assert canonical_json(dict(reversed(PAYLOAD.items()))).decode() == CANONICAL


def test_numbers_are_spelled_as_rfc_8785_has_them() -> None:
    """Its appendix B: what ECMAScript prints, not what Python does."""
    published = {
        "1e-07": "1e-7",
        "1e21": "1e+21",
        "1e20": "100000000000000000000",
        "-0.0": "0",
        "5e-324": "5e-324",
    }
    for python, canonical in published.items():
        assert canonical_json({"x": float(python)}).decode() == f'{{"x":{canonical}}}'


def test_the_hash_can_be_recomputed_with_a_hash_function_alone() -> None:
    made = new_entry(EntryKind.OUTCOME, {"r": 1.25}, sequence=7, prev_hash="ab" * 32, salt=b"s" * 32)
    payload = b'{"kind":"outcome","r":1.25,"schema":2,"sequence":7}'
    leaf = hashlib.sha256(b"\x00" + b"s" * 32 + payload).digest()

    assert made.payload == payload
    assert made.hash == hashlib.sha256(b"\x02" + b"\xab" * 32 + leaf).hexdigest()


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (datetime(2025, 1, 1), ValueError),  # noqa: DTZ001
        ("\ud800", ValueError),
        (2**53, ValueError),
        (Decimal("1.10"), TypeError),
        ({1: "a"}, TypeError),
        ({1, 2}, TypeError),
        (Path("x"), TypeError),
    ],
)
def test_what_has_no_single_spelling_is_refused(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        canonical_json({"value": value})


def test_an_entry_cannot_be_made_without_its_whole_salt() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        new_entry(EntryKind.SIGNAL, {}, sequence=1, prev_hash=GENESIS_HASH, salt=b"short")


def test_facts_cannot_speak_for_the_header() -> None:
    made = new_entry(EntryKind.SIGNAL, {"sequence": 99}, sequence=1, prev_hash=GENESIS_HASH, salt=b"s" * 32)
    assert json.loads(made.payload)["sequence"] == 1


def test_an_untouched_chain_is_whole() -> None:
    assert verify(chain(20)) is None
    assert verify([]) is None


@pytest.mark.parametrize("victim", [0, 7, 19])
@pytest.mark.parametrize(
    "change",
    [
        lambda row: {"payload": row.payload.replace(b"price", b"brice")},
        lambda row: {"payload": row.payload + b" "},
        lambda row: {"salt": bytes(32)},
        lambda row: {"prev_hash": "0" * 63 + "1"},
        lambda row: {"hash": "0" * 63 + "1"},
        lambda row: {"kind": EntryKind.OUTCOME},
        lambda row: {"schema_version": 3},
        lambda row: {"sequence": row.sequence + 1},
    ],
)
def test_each_column_that_is_changed_alone_is_found_at_its_sequence(
    victim: int, change: Callable[[Entry], dict[str, Any]]
) -> None:
    entries = chain(20)
    entries[victim] = replace(entries[victim], **change(entries[victim]))
    assert verify(entries) == victim + 1


@pytest.mark.parametrize("victim", [0, 7, 18])
def test_a_change_with_its_own_hash_made_anew_is_found_at_the_next_sequence(victim: int) -> None:
    entries = chain(20)
    entries[victim] = entry(victim + 1, entries[victim].prev_hash, 1.0)
    assert verify(entries) == victim + 2


@pytest.mark.parametrize("forged", ['{"price":1.5, "x":1}', '{"price":1.5}', "[1]", "{"])
def test_a_payload_that_is_not_canonical_or_does_not_name_itself_is_found(forged: str) -> None:
    first = chain(1)[0]
    made = new_entry(EntryKind.SIGNAL, {}, sequence=1, prev_hash=GENESIS_HASH, salt=first.salt)
    leaf = hashlib.sha256(b"\x00" + first.salt + forged.encode()).digest()
    own_hash = hashlib.sha256(b"\x02" + bytes(32) + leaf).hexdigest()
    assert verify([replace(made, payload=forged.encode(), hash=own_hash)]) == 1


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
    entries.insert(4, entry(5, entries[3].hash, 9.0))
    assert verify(entries) == 6
    entries[4] = replace(entries[4], sequence=99)
    assert verify(entries) == 5


def test_entries_renumbered_after_a_deletion_are_found_by_the_chain() -> None:
    entries = chain(20)
    del entries[7]
    entries = [replace(each, sequence=place) for place, each in enumerate(entries, start=1)]
    assert verify(entries) == 8

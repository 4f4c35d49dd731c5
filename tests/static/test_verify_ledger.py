"""The stand-alone verifier: right where the RFCs say so, and blind to no change of an export or a receipt.

LEDGER_FOLDER names a folder with ledger.jsonl and head.json, whose export is damaged in place of the small one here:
`LEDGER_FOLDER=... pytest tests/static/test_verify_ledger.py -k "thousand or two_hundred" --timeout 3600`.
"""

import importlib.util
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledgers import KEY, PUBLIC_KEY, as_text, make_chain, make_export, make_head, make_receipt

SCRIPT = Path(__file__).resolve().parents[2] / "static" / "copilot" / "verify_ledger.py"
ENTRIES = make_chain(60)
EXPORT, HEAD = make_export(ENTRIES), make_head(ENTRIES)
if folder_given := os.environ.get("LEDGER_FOLDER"):
    EXPORT = (Path(folder_given) / "ledger.jsonl").read_bytes()
    HEAD = json.loads((Path(folder_given) / "head.json").read_bytes())
LINES = EXPORT.splitlines(keepends=True)
KINDS_OF_DAMAGE = 200
# RFC 8032, section 7.1, tests 1 to 3 and SHA(abc): secret key, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_ledger", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load()


def read(value: dict[str, Any]) -> Any:
    return script.parse(as_text(value))


def broken_at(export: bytes, *heads: dict[str, Any]) -> int | None:
    """The first bad sequence that the script names; None where everything holds."""
    try:
        script.check_lines(export.splitlines(keepends=True), [read(each) for each in heads or (HEAD,)])
    except script.Broken as broken:
        return int(broken.sequence)
    return None


# --- The RFCs ---


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_signatures_of_rfc_8032_hold_and_nothing_near_them_does(
    secret: str, public: str, message: str, signature: str
) -> None:
    key, text, made = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).sign(text) == made

    assert script.signature_holds(key, text, made)
    assert not script.signature_holds(key, text + b"x", made)
    for place in (0, 31, 32, 63):
        changed = bytearray(made)
        changed[place] ^= 1
        assert not script.signature_holds(key, text, bytes(changed))
    assert not script.signature_holds(bytes(32), text, made)
    assert not script.signature_holds(key, text, made[:-1])


def test_a_signature_has_one_form_only() -> None:
    """s + the order of the group signs the same by arithmetic; RFC 8032 refuses it."""
    made = KEY.sign(b"message")
    s = int.from_bytes(made[32:], "little") + script.ORDER
    assert not script.signature_holds(
        bytes.fromhex(PUBLIC_KEY), b"message", made[:32] + s.to_bytes(32, "little")
    )


@given(st.binary(max_size=80), st.binary(min_size=32, max_size=32))
def test_signatures_hold_as_another_library_makes_them(message: bytes, seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert script.signature_holds(key.public_key().public_bytes_raw(), message, key.sign(message))


NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON)
def test_json_is_spelled_as_another_library_spells_it(value: Any) -> None:
    spelled = rfc8785.dumps(value).decode()
    assert script.canonical(script.parse(spelled)) == spelled
    assert script.canonical(script.parse(json.dumps(value))) == spelled


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_spelled_as_another_library_spells_them(value: float) -> None:
    assert script.number(value) == rfc8785.dumps(value).decode()


# --- Exports ---


def test_an_export_holds_under_its_head() -> None:
    assert script.check_export(LINES, [read(HEAD)], {PUBLIC_KEY}) == len(LINES)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 65])
def test_an_export_of_any_length_holds_and_an_older_head_of_it_too(size: int) -> None:
    older = make_head(ENTRIES[: (size + 1) // 2])
    assert broken_at(b"".join(LINES[:size]), make_head(ENTRIES[:size]), older) is None


@pytest.mark.slow
def test_each_of_a_thousand_changed_bytes_is_found_in_its_line() -> None:
    rng = random.Random(1)
    starts = [sum(map(len, LINES[:line])) for line in range(len(LINES))]
    for _ in range(1000):
        place = rng.randrange(len(EXPORT))
        new = rng.choice([byte for byte in range(256) if byte != EXPORT[place]])
        changed = EXPORT[:place] + bytes([new]) + EXPORT[place + 1 :]
        line = max(index for index, start in enumerate(starts) if start <= place)
        assert broken_at(changed) == line + 1, (place, new)


def test_letters_that_only_look_the_same_are_found() -> None:
    """Hex in capitals decodes to the same salt; the line is another one all the same."""
    for line, text in enumerate(LINES[:20]):
        at = text.index(b'"salt":"') + 8
        letter = next(place for place in range(at, at + 64) if text[place : place + 1].isalpha())
        capital = text[:letter] + text[letter : letter + 1].upper() + text[letter + 1 :]
        assert broken_at(b"".join([*LINES[:line], capital, *LINES[line + 1 :]])) == line + 1


def deleted(rng: random.Random) -> tuple[list[bytes], int]:
    first = rng.randrange(len(LINES))
    return LINES[:first] + LINES[first + 1 :], first + 1


def inserted(rng: random.Random) -> tuple[list[bytes], int]:
    place, copied = rng.randrange(len(LINES) + 1), rng.randrange(len(LINES))
    # A line doubled in its own place differs from itself nowhere: the second of them is the stranger.
    return [*LINES[:place], LINES[copied], *LINES[place:]], place + 1 + (copied == place)


def swapped(rng: random.Random) -> tuple[list[bytes], int]:
    first, second = sorted(rng.sample(range(len(LINES)), 2))
    lines = list(LINES)
    lines[first], lines[second] = lines[second], lines[first]
    return lines, first + 1


def cut(rng: random.Random) -> tuple[list[bytes], int]:
    end = rng.randrange(len(EXPORT))
    whole = EXPORT[:end].splitlines(keepends=True)
    return whole, EXPORT[:end].count(b"\n") + 1


@pytest.mark.parametrize("damage", [deleted, inserted, swapped, cut])
def test_each_of_two_hundred_damages_is_found_where_it_begins(
    damage: Callable[[random.Random], tuple[list[bytes], int]],
) -> None:
    rng = random.Random(2)
    for _ in range(KINDS_OF_DAMAGE):
        lines, first_bad = damage(rng)
        assert broken_at(b"".join(lines)) == first_bad


def test_what_is_appended_is_found() -> None:
    assert broken_at(EXPORT + b"\n") == len(LINES) + 1
    assert broken_at(make_export(make_chain(61))) == 61


def test_a_history_chained_anew_fails_under_the_head_that_signed_it_and_is_told_since_when() -> None:
    forged = make_chain(60)
    salted = make_chain(40)[:39]
    other = [*salted, *rechained(forged, 39)]
    older = make_head(ENTRIES[:30])
    assert broken_at(make_export(other)) == 1
    assert broken_at(make_export(other), HEAD, older) == 31
    assert broken_at(make_export(other), make_head(other), older, make_head(ENTRIES[:50])) == 31


def rechained(entries: list[Any], start: int) -> list[Any]:
    """The entries from `start` on with another price in the first of them, each hash made anew."""
    from signals.engine.ledger import EntryKind, new_entry  # noqa: PLC0415

    prev_hash, made = entries[start - 1].hash, []
    for entry in entries[start:]:
        facts = json.loads(entry.payload) | ({"entry_price": 1.0} if not made else {})
        again = new_entry(
            EntryKind(facts["kind"]), facts, sequence=entry.sequence, prev_hash=prev_hash, salt=entry.salt
        )
        made.append(again)
        prev_hash = again.hash
    return made


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_a_line_that_is_nested_too_deeply_is_a_bad_line(depth: int) -> None:
    assert broken_at(LINES[0] + b"[" * depth + b"]" * depth + b"\n" + b"".join(LINES[2:])) == 2


# --- Heads and receipts ---


@pytest.mark.parametrize("field", sorted(HEAD))
def test_no_field_of_a_head_can_be_changed(field: str) -> None:
    value = HEAD[field]
    other = value + 1 if isinstance(value, int) else ("0" if value[0] != "0" else "1") + value[1:]
    with pytest.raises(script.Broken):
        script.check_head(read(HEAD | {field: other}), {PUBLIC_KEY})


def test_a_head_by_another_key_is_refused_and_both_keys_hold_after_a_rotation() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    public = stranger.public_key().public_bytes_raw().hex()
    newer = make_head(ENTRIES, stranger)
    with pytest.raises(script.Broken, match="not one that you gave"):
        script.check_head(read(newer), {PUBLIC_KEY})
    older = make_head(ENTRIES[:10])
    assert script.check_export(LINES, [read(newer), read(older)], {PUBLIC_KEY, public}) == len(LINES)


@settings(max_examples=30)
@given(st.integers(1, 40), st.data())
def test_a_receipt_proves_its_own_entry_and_no_other(size: int, data: st.DataObject) -> None:
    entries = ENTRIES[:size]
    sequence = data.draw(st.integers(1, size))
    receipt = make_receipt(entries, sequence)
    assert script.check_receipt(read(receipt), {PUBLIC_KEY})["sequence"] == sequence

    changes: list[dict[str, Any]] = [
        {"payload": receipt["payload"] | {"entry_price": 99.5}},
        {"payload": receipt["payload"] | {"sequence": size + 1}},
        {"payload": receipt["payload"] | {"sequence": 0}},
        {"salt": "0" * 64},
        {"path": [*receipt["path"], "0" * 64]},
        {"version": 2},
        {"type": "copilot-ledger-head"},
    ]
    if receipt["path"]:
        changes += [{"path": receipt["path"][1:]}, {"path": ["0" * 64, *receipt["path"][1:]]}]
    for change in changes:
        with pytest.raises(script.Broken):
            script.check_receipt(read(receipt | change), {PUBLIC_KEY})


def test_a_receipt_of_a_rewritten_history_fails_against_the_head_saved_before() -> None:
    other = [*ENTRIES[:39], *rechained(ENTRIES, 39)]
    receipt = read(make_receipt(other, 5))
    assert script.check_receipt(receipt, {PUBLIC_KEY})
    with pytest.raises(script.Broken, match="another history"):
        script.check_receipt(receipt, {PUBLIC_KEY}, [read(HEAD)])


# --- The command ---


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ledger.jsonl").write_bytes(EXPORT)
    (tmp_path / "head.json").write_text(as_text(HEAD))
    (tmp_path / "key").write_text(PUBLIC_KEY + "\n")
    (tmp_path / "receipt.json").write_text(json.dumps(make_receipt(ENTRIES, 7), indent=1))
    return tmp_path


def test_the_command_says_what_holds_and_ends_with_zero(folder: Path) -> None:
    assert run(folder, "ledger.jsonl", "--head", "head.json", "--key", PUBLIC_KEY) == (
        0,
        "OK: 60 entries, as signed at 2026-01-01T12:00:00.000000Z\n",
    )
    status, said = run(folder, "--receipt", "receipt.json", "--key", "key")
    assert status == 0
    assert '"symbol":"T7/USDT"' in said


def test_the_command_names_the_first_bad_sequence_and_ends_with_one(folder: Path) -> None:
    (folder / "ledger.jsonl").write_bytes(EXPORT.replace(b"T41/USDT", b"T42/USDT"))
    status, said = run(folder, "ledger.jsonl", "--head", "head.json", "--key", "key")
    assert status == 1
    assert said.startswith("BROKEN at sequence 41: ")
    (folder / "ledger.jsonl").write_bytes(b"")
    status, said = run(folder, "ledger.jsonl", "--head", "head.json", "--key", "key")
    assert (status, said[:22]) == (1, "BROKEN at sequence 1: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["ledger.jsonl", "--key", "key"],
        ["ledger.jsonl", "--head", "head.json"],
        ["ledger.jsonl", "--head", "missing", "--key", "key"],
        ["ledger.jsonl", "--head", "ledger.jsonl", "--key", "key"],
        ["ledger.jsonl", "--head", "head.json", "--key", "head.json"],
        ["missing", "--head", "head.json", "--key", "key"],
        ["ledger.jsonl", "--receipt", "receipt.json", "--key", "key"],
        ["--key", "key"],
    ],
)
def test_what_cannot_be_read_ends_with_two_and_one_line(folder: Path, arguments: list[str]) -> None:
    status, said = run(folder, *arguments)
    assert status == 2
    assert "Traceback" not in said

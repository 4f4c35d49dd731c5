#!/usr/bin/env python3
"""Checks CoPilot's ledger of signals without trusting CoPilot: this file and Python 3.8 or newer, nothing else.

    verify_ledger.py FILE --head HEAD --key PUBLIC_KEY      a whole export
    verify_ledger.py --receipt FILE --key PUBLIC_KEY        one signal's receipt

FILE is an export (one JSON object a line) or a receipt, HEAD a signed head, PUBLIC_KEY 64 hex letters or a file that
holds them. Give --head again for heads that you saved earlier: history that was rewritten since fails against them.
Give --key again where the key has changed since. Of a whole export the last head must sign its last line.

Ends with 0 when everything holds. Ends with 1 and names the first bad sequence otherwise; with 2 when a file or an
argument cannot be read. The formats are described in docs/ledger.md.
"""

import argparse
import json
import re
import sys
from hashlib import sha256, sha512
from pathlib import Path

HEX_32 = re.compile(r"[0-9a-f]{64}")
HEX_64 = re.compile(r"[0-9a-f]{128}")
GENESIS_HASH = "0" * 64
LEAF, NODE, LINK = b"\x00", b"\x01", b"\x02"


class Broken(Exception):
    """Something does not hold. `sequence` is the first that is bad, None where it is not about an entry."""

    def __init__(self, why, sequence=None):
        super().__init__(why)
        self.sequence = sequence


# --- Canonical JSON (RFC 8785) -----------------------------------------------------------------------------------


def parse(text):
    """JSON as it is written; all numbers are doubles, as RFC 8785 has them. ValueError for anything else."""
    return json.loads(text, parse_int=float, parse_constant=_refuse)


def _refuse(name):
    raise ValueError(f"{name} is no JSON")


def canonical(value):
    """The one spelling of what `parse` gave. ValueError where there is none."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        value.encode()  # refuses lone surrogates
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        return "[" + ",".join(canonical(each) for each in value) + "]"
    members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
    return "{" + ",".join(f"{canonical(name)}:{canonical(each)}" for name, each in members) + "}"


def number(value):
    """As ECMAScript prints it: the shortest digits that give the same double."""
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    if value == 0:
        return "0"
    sign, text = ("-", repr(-value)) if value < 0 else ("", repr(value))
    mantissa, _, exponent = text.partition("e")
    whole, _, part = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + part
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    dot = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{dot}{digits[1:]}e{point - 1:+d}"


# --- Ed25519 (RFC 8032, section 6): slow, and easy to compare with the RFC ------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def add(first, second):
    """Points in extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z."""
    a = (first[1] - first[0]) * (second[1] - second[0]) % P
    b = (first[1] + first[0]) * (second[1] + second[0]) % P
    c = 2 * first[3] * second[3] * D % P
    d = 2 * first[2] * second[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(factor, point):
    total = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = add(total, point)
        point = add(point, point)
        factor >>= 1
    return total


def same_point(first, second):
    return (first[0] * second[2] - second[0] * first[2]) % P == 0 and (
        first[1] * second[2] - second[1] * first[2]
    ) % P == 0


def x_of(y, sign):
    """The x that belongs to y, of the two with this sign; None where there is none."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    return P - x if (x & 1) != sign else x


def decompress(octets):
    y = int.from_bytes(octets, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (x_of(BASE_Y, 0), BASE_Y, 1, x_of(BASE_Y, 0) * BASE_Y % P)


def signature_holds(public_key, message, signature):
    """Whether the 64 octets are this key's signature of the message."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, commitment = decompress(public_key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or s >= ORDER:
        return False
    challenge = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little") % ORDER
    return same_point(times(s, BASE), add(commitment, times(challenge, key)))


# --- The chain and the Merkle tree (RFC 6962) -----------------------------------------------------------------------


def leaf_of(salt, payload):
    return sha256(LEAF + salt + payload).digest()


def node_of(left, right):
    return sha256(NODE + left + right).digest()


class Tree:
    """Roots of perfect trees from left to right, as a binary counter: enough to tell the root at any time."""

    def __init__(self):
        self.peaks = []

    def append(self, leaf):
        size = 1
        while self.peaks and self.peaks[-1][0] == size:
            leaf = node_of(self.peaks.pop()[1], leaf)
            size *= 2
        self.peaks.append((size, leaf))

    def root(self):
        root = self.peaks[-1][1]
        for _, peak in reversed(self.peaks[:-1]):
            root = node_of(peak, root)
        return root.hex()


def root_by_path(leaf, index, size, path):
    """The root to which the path leads from leaf `index` (from 0) of `size`; None for a path of another length."""
    node, left = leaf, list(path)
    while size > 1:
        if index % 2 or index + 1 < size:
            if not left:
                return None
            sibling = left.pop(0)
            node = node_of(sibling, node) if index % 2 else node_of(node, sibling)
        index, size = index // 2, (size + 1) // 2
    return None if left else node.hex()


# --- What is checked ------------------------------------------------------------------------------------------------


def is_hash(value):
    return isinstance(value, str) and HEX_32.fullmatch(value) is not None


def check_head(head, keys):
    """The head is well formed and signed by one of the keys."""
    names = {
        "type",
        "version",
        "size",
        "chain_hash",
        "root_hash",
        "previous",
        "signed_at",
        "public_key",
        "signature",
    }
    if (
        not isinstance(head, dict)
        or set(head) != names
        or head["type"] != "copilot-ledger-head"
        or head["version"] != 1
    ):
        raise Broken("this is no head of the ledger, version 1")
    hashes = all(is_hash(head[name]) for name in ("chain_hash", "root_hash", "previous", "public_key"))
    is_size = isinstance(head["size"], float) and head["size"] >= 1 and head["size"] == int(head["size"])
    if not hashes or not is_size or not isinstance(head["signed_at"], str):
        raise Broken("the head's fields are malformed")
    if head["public_key"] not in keys:
        raise Broken(f"the head names the key {head['public_key']}, which is not one that you gave")
    if not isinstance(head["signature"], str) or not HEX_64.fullmatch(head["signature"]):
        raise Broken("the head's signature is malformed")
    stated = canonical({name: value for name, value in head.items() if name != "signature"}).encode()
    if not signature_holds(bytes.fromhex(head["public_key"]), stated, bytes.fromhex(head["signature"])):
        raise Broken(
            "the head's signature does not hold: it was not signed by this key, or was changed since"
        )


def entry_of(line):
    """What a line says. ValueError unless it is whole and spelled canonically."""
    if not line.endswith(b"\n"):
        raise ValueError("the line is cut off")
    text = line[:-1].decode()
    entry = parse(text)
    if canonical(entry) != text:
        raise ValueError("the line is not in canonical form")
    return entry


def check_line(line, sequence, prev_hash):
    """Leaf and hash of one line, which must be the canonical entry with this sequence behind `prev_hash`."""
    try:
        entry = entry_of(line)
    except RecursionError:
        raise Broken("the line is nested too deeply", sequence) from None
    except ValueError as error:
        raise Broken(str(error), sequence) from None
    if not isinstance(entry, dict) or set(entry) != {"hash", "payload", "prev_hash", "salt"}:
        raise Broken("the line is no entry", sequence)
    payload = entry["payload"]
    if not isinstance(payload, dict) or payload.get("sequence") != sequence:
        raise Broken(f"here stands another entry than {sequence}", sequence)
    if not is_hash(entry["salt"]) or entry["prev_hash"] != prev_hash:
        raise Broken("it does not follow the entry before it", sequence)
    leaf = leaf_of(bytes.fromhex(entry["salt"]), canonical(payload).encode())
    own_hash = sha256(LINK + bytes.fromhex(prev_hash) + leaf).hexdigest()
    if entry["hash"] != own_hash:
        raise Broken("its hash is not that of its content", sequence)
    return leaf, own_hash


def check_export(lines, heads, keys):
    """How many entries hold. Raises Broken with the first bad sequence."""
    for head in heads:
        check_head(head, keys)
    return check_lines(lines, heads)


def check_lines(lines, heads):
    """The same for heads whose signatures have been checked."""
    by_size = {}
    for head in heads:
        by_size.setdefault(int(head["size"]), []).append(head)
    tree, count, prev_hash, sound, last = Tree(), 0, GENESIS_HASH, 0, max(by_size)
    for line in lines:
        if count == last:
            raise Broken("nothing signs this entry: the newest head ends before it", count + 1)
        leaf, prev_hash = check_line(line, count + 1, prev_hash)
        tree.append(leaf)
        count += 1
        for head in by_size.get(count, ()):
            if head["chain_hash"] != prev_hash or head["root_hash"] != tree.root():
                why = f"entries {sound + 1} to {count} are not those that were signed at {head['signed_at']}"
                raise Broken(why, sound + 1)
            sound = count
    if count < last:
        raise Broken(f"missing: the head signs {last} entries, here are {count}", count + 1)
    return count


def check_receipt(receipt, keys, heads=()):
    """The payload that the receipt proves. Raises Broken."""
    names = {"type", "version", "payload", "salt", "path", "head"}
    if not isinstance(receipt, dict) or set(receipt) != names or receipt["type"] != "copilot-ledger-receipt":
        raise Broken("this is no receipt of the ledger")
    payload, path, head = receipt["payload"], receipt["path"], receipt["head"]
    check_head(head, keys)
    sequence = payload.get("sequence") if isinstance(payload, dict) else None
    if receipt["version"] != 1 or not isinstance(sequence, float) or sequence != int(sequence):
        raise Broken("the receipt is malformed")
    if not is_hash(receipt["salt"]) or not isinstance(path, list) or not all(is_hash(each) for each in path):
        raise Broken("the receipt's salt or path is malformed", int(sequence))
    if not 1 <= sequence <= head["size"]:
        raise Broken("the head does not reach this entry", int(sequence))
    leaf = leaf_of(bytes.fromhex(receipt["salt"]), canonical(payload).encode())
    root = root_by_path(leaf, int(sequence) - 1, int(head["size"]), [bytes.fromhex(each) for each in path])
    if root != head["root_hash"]:
        raise Broken("this entry is not in the ledger that was signed", int(sequence))
    for other in heads:
        check_head(other, keys)
        if other["size"] == head["size"] and other["root_hash"] != head["root_hash"]:
            raise Broken("the head that you saved states another history of the same length", int(sequence))
    return payload


# --- Command line ---------------------------------------------------------------------------------------------------


def read_key(text):
    """64 hex letters, or the file that holds them."""
    value = text if HEX_32.fullmatch(text) else Path(text).read_text(encoding="utf-8").strip()
    if not HEX_32.fullmatch(value):
        raise ValueError(f"{text}: a public key is 64 hex letters, or a file that holds them")
    return value


def read_json(path):
    try:
        return parse(Path(path).read_bytes().decode())
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{path}: no JSON ({error})") from None


def run(asked):
    keys = {read_key(each) for each in asked.key}
    heads = [read_json(each) for each in asked.head]
    if asked.receipt:
        payload = check_receipt(read_json(asked.receipt), keys, heads)
        print(canonical(payload))
        return "OK: this entry is in the signed ledger, unchanged"
    with Path(asked.file).open("rb") as lines:
        count = check_export(lines, heads, keys)
    newest = max(heads, key=lambda head: head["size"])
    return f"OK: {count} entries, as signed at {newest['signed_at']}"


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", help="the export")
    parser.add_argument("--head", action="append", default=[], help="a signed head, as it was published")
    parser.add_argument("--key", action="append", required=True, help="the public key, or a file with it")
    parser.add_argument("--receipt", help="a receipt instead of an export")
    asked = parser.parse_args(arguments)
    if bool(asked.file) == bool(asked.receipt):
        parser.error("give an export, or --receipt and a receipt")
    if asked.file and not asked.head:
        parser.error("an export is checked against --head")
    try:
        print(run(asked))
    except Broken as broken:
        where = "" if broken.sequence is None else f" at sequence {broken.sequence}"
        print(f"BROKEN{where}: {broken}")
        return 1
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

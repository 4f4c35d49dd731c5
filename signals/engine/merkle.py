"""The Merkle tree of RFC 6962 (section 2.1) over leaf hashes: a root, and the audit path of one leaf to it."""

from collections.abc import Sequence
from hashlib import sha256

NODE = b"\x01"


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes in order; that of no leaves is SHA-256 of nothing."""
    if not leaves:
        return sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def audit_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Hashes that lead from the leaf at `index` (from 0) to the root, the nearest first. IndexError outside."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"there is no leaf {index} among {len(leaves)}")
    path, level = [], list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level, index = _parents(level), index // 2
    return path


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Root of the tree of `size` leaves in which `path` leads from this leaf; None for a path of another length."""
    if not 0 <= index < size:
        return None
    node, left = leaf, list(path)
    while size > 1:
        if index % 2 or index + 1 < size:
            if not left:
                return None
            sibling = left.pop(0)
            node = _node(sibling, node) if index % 2 else _node(node, sibling)
        index, size = index // 2, (size + 1) // 2
    return None if left else node


def _parents(level: Sequence[bytes]) -> list[bytes]:
    """The level above; a last node without a sibling goes up as it is, which makes RFC 6962's tree."""
    pairs = [_node(level[each], level[each + 1]) for each in range(0, len(level) - 1, 2)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(NODE + left + right).digest()

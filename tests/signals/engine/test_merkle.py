"""The tree of RFC 6962, against the vectors of its authors and against the recursion that the RFC writes down."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals.engine.merkle import audit_path, merkle_root, root_from_path

# Leaves and roots of certificate-transparency's own tests (merkle_tree_test, "kVectors").
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [sha256(b"\x00" + bytes.fromhex(each)).digest() for each in INPUTS]


def by_recursion(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + by_recursion(leaves[:k]) + by_recursion(leaves[k:])).digest()


def path_by_recursion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*path_by_recursion(index, leaves[:k]), by_recursion(leaves[k:])]
    return [*path_by_recursion(index - k, leaves[k:]), by_recursion(leaves[:k])]


def some_leaves(count: int) -> list[bytes]:
    return [sha256(str(each).encode()).digest() for each in range(count)]


def test_roots_are_those_of_the_published_vectors() -> None:
    assert [merkle_root(LEAVES[:size]).hex() for size in range(1, 9)] == ROOTS
    assert merkle_root([]) == sha256(b"").digest()


@given(st.integers(1, 200), st.data())
def test_root_and_path_are_those_of_the_rfcs_recursion(size: int, data: st.DataObject) -> None:
    leaves, index = some_leaves(size), data.draw(st.integers(0, size - 1))
    path = audit_path(leaves, index)

    assert merkle_root(leaves) == by_recursion(leaves)
    assert path == path_by_recursion(index, leaves)
    assert root_from_path(leaves[index], index, size, path) == by_recursion(leaves)


@given(st.integers(2, 60), st.data())
def test_a_path_leads_to_the_root_from_its_own_leaf_and_place_only(size: int, data: st.DataObject) -> None:
    leaves = some_leaves(size)
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda each: each != index))
    path, root = audit_path(leaves, index), merkle_root(leaves)

    assert root_from_path(leaves[other], index, size, path) != root
    assert root_from_path(leaves[index], other, size, path) != root
    assert root_from_path(leaves[index], index, size, path[:-1]) is None
    assert root_from_path(leaves[index], index, size, [*path, root]) is None


def test_what_is_outside_the_tree_has_no_path() -> None:
    assert root_from_path(LEAVES[0], 1, 1, []) is None
    for index in (-1, 3):
        with pytest.raises(IndexError):
            audit_path(LEAVES[:3], index)

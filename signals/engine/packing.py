"""Arrays as bytes and back: one form for everything that was fitted and is kept in a row.

An npz file without pickles, so that reading one runs no code, beside its SHA-256, which is checked first.
"""

import io
import zlib
from collections.abc import Mapping
from hashlib import sha256 as hash_sha256
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray


class BytesAlteredError(Exception):
    """The bytes are not those that were written."""


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A compressed npz file of named arrays; ValueError for an array of objects."""
    stored = io.BytesIO()
    np.savez_compressed(stored, allow_pickle=False, **arrays)
    return stored.getvalue()


def unpack_arrays(packed: bytes, *, sha256: str) -> dict[str, NDArray[Any]]:
    """The arrays by name; BytesAlteredError when the bytes' hash is not `sha256`."""
    require_unaltered(packed, sha256=sha256)
    return read_arrays(packed)


def read_arrays(packed: bytes) -> dict[str, NDArray[Any]]:
    """The arrays by name; ValueError for bytes that are no npz file of plain arrays, whatever they are."""
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (
        AttributeError,  # a single array, not a file of named ones
        OSError,
        EOFError,
        KeyError,
        NotImplementedError,
        BadZipFile,
        zlib.error,
        ValueError,
    ) as error:
        raise ValueError(f"no npz file of plain arrays: {error}") from error


def require_unaltered(packed: bytes, *, sha256: str) -> None:
    found = sha256_of(packed)
    if found != sha256:
        raise BytesAlteredError(f"the bytes' SHA-256 is {found}, not {sha256}: they have been altered")


def sha256_of(packed: bytes) -> str:
    """64 hexadecimal digits."""
    return hash_sha256(packed).hexdigest()

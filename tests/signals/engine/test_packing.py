"""Arrays come back as they went in; altered bytes and pickles do not come back at all."""

import io
import zipfile

import numpy as np
import pytest

from signals.engine.packing import BytesAlteredError, pack_arrays, sha256_of, unpack_arrays


def test_arrays_come_back_with_their_names_types_and_values() -> None:
    arrays = {"tree": np.arange(6, dtype=np.int16).reshape(2, 3), "leaf": np.array([0.1, np.nan, -np.inf])}
    packed = pack_arrays(arrays)

    back = unpack_arrays(packed, sha256=sha256_of(packed))

    assert set(back) == set(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
    assert zipfile.ZipFile(io.BytesIO(packed)).testzip() is None  # what numpy writes is a plain zip


def test_one_altered_byte_is_refused_before_anything_is_read() -> None:
    packed = pack_arrays({"tree": np.arange(100)})
    altered = packed[:-1] + bytes([packed[-1] ^ 1])

    with pytest.raises(BytesAlteredError, match="altered"):
        unpack_arrays(altered, sha256=sha256_of(packed))


def test_objects_are_neither_packed_nor_unpacked() -> None:
    objects = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        pack_arrays({"tree": objects})

    stored = io.BytesIO()
    np.savez(stored, tree=objects)
    with pytest.raises(ValueError, match="allow_pickle"):
        unpack_arrays(stored.getvalue(), sha256=sha256_of(stored.getvalue()))

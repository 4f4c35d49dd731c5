"""Tables as files: CSV that no spreadsheet takes for a formula, and Parquet."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
ROWS_A_PIECE = 500

Columns = Mapping[str, npt.NDArray[Any]]


def harmless(value: Any) -> Any:
    """Text that a spreadsheet would compute begins with an apostrophe; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value


def csv_pieces(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Some hundred rows at a time, so that a long table is never whole in memory."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow([harmless(name) for name in header])
    for number, row in enumerate(rows, start=1):
        writer.writerow([harmless(value) for value in row])
        if number % ROWS_A_PIECE == 0:
            yield target.getvalue()
            target.seek(0)
            target.truncate()
    yield target.getvalue()


def rows_of(columns: Columns) -> Iterator[Sequence[Any]]:
    return zip(*(column.tolist() for column in columns.values()), strict=True)


def parquet(columns: Columns) -> bytes:
    import pyarrow as pa  # noqa: PLC0415  (half a second, for those who export)
    from pyarrow import parquet as files  # noqa: PLC0415

    target = io.BytesIO()
    files.write_table(pa.table({name: pa.array(column) for name, column in columns.items()}), target)
    return target.getvalue()


def parquet_of_rows(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A file of mixed columns: numbers stay numbers, exact ones are decimals, lists are joined already."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet as files  # noqa: PLC0415

    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    plain = [[None if value == "" else value for value in column] for column in columns]
    target = io.BytesIO()
    files.write_table(pa.table(dict(zip(header, plain, strict=True))), target)
    return target.getvalue()


def instants(milliseconds: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    """UTC; what is negative has not happened yet: NaT."""
    found = milliseconds.astype("datetime64[ms]")
    found[milliseconds < 0] = np.datetime64("NaT")
    return found

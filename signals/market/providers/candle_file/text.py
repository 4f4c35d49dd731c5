"""The lines of a text file, unpacked and decoded while they are read, and never more than a bound of them.

A packed file of 300 KB can hold 5 GB: what unpacks to far more than any real candles do is refused while it is
read, before it is decoded or kept.
"""

import gzip
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from signals.market.providers.candle_file.error import FileRefusedError

LARGEST_FILE_BYTES = 1 << 30
LARGEST_RATIO = 100  # of unpacked to packed; real files of candles reach 30
UNSUSPICIOUS_BYTES = 8 << 20
LONGEST_LINE_BYTES = 1 << 16
BLOCK_BYTES = 1 << 17
SNIFFED_BYTES = 1 << 12
# Of four bytes first: the mark of UTF-16 begins that of UTF-32.
BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
OTHER_FILES = {
    b"PK\x03\x04": "it is a workbook or a zip archive: save it as CSV, or name it .zip",
    b"\xd0\xcf\x11\xe0": "it is a workbook: save it as CSV",
    b"\x1f\x8b": "it is packed by gzip: name it .csv.gz",
    b"PAR1": "it is Parquet: name it .parquet",
}


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """Text of a plain, gzipped or zipped file. FileRefusedError while it is read, when it is none or too large."""
    with _unpacked(path) as packed:
        bounded = io.BufferedReader(_Bounded(path, packed), BLOCK_BYTES)
        encoding = _encoding(path, bounded.peek(SNIFFED_BYTES)[:SNIFFED_BYTES])
        # A stray byte of an old code page, in a banner or as a space in a number, is no reason to refuse a file.
        yield io.TextIOWrapper(bounded, encoding=encoding, errors="surrogateescape", newline=None)


@contextmanager
def _unpacked(path: Path) -> Iterator[_Readable]:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with gzip.open(path) as stream:
            yield stream
    elif suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(path, archive)) as stream:
            yield stream
    else:
        with path.open("rb") as stream:
            yield stream


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise FileRefusedError(path, f"holds {len(members)} files: unpack it, and import the folder")
    if members[0].flag_bits & 1:
        raise FileRefusedError(path, "is locked by a password: unpack it first")
    return members[0]


class _Bounded(io.RawIOBase):
    """Hands bytes on until there are too many, or too many without an end of line."""

    def __init__(self, path: Path, source: _Readable) -> None:
        self._path = path
        self._source = source
        self._read = 0
        self._line = 0
        packed = path.suffix.lower() in (".gz", ".zip")
        by_ratio = max(UNSUSPICIOUS_BYTES, LARGEST_RATIO * path.stat().st_size)
        self._limit = min(LARGEST_FILE_BYTES, by_ratio) if packed else LARGEST_FILE_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self._source.read(min(len(buffer), BLOCK_BYTES))
        buffer[: len(block)] = block
        self._read += len(block)
        if self._read > self._limit:
            size = f"{self._limit >> 20} MB"
            raise FileRefusedError(self._path, f"unpacks to more than {size}: no candles do; split the file")
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._line = self._line + len(block) if end < 0 else len(block) - end - 1
        if self._line > LONGEST_LINE_BYTES:
            raise FileRefusedError(self._path, f"has a line of more than {LONGEST_LINE_BYTES >> 10} KB")
        return len(block)


def _encoding(path: Path, start: bytes) -> str:
    """By the mark of the byte order, else by where the zero bytes of two-byte letters stand."""
    for beginning, advice in OTHER_FILES.items():
        if start.startswith(beginning):
            raise FileRefusedError(path, f"is no text: {advice}")
    for mark, encoding in BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return encoding
    if b"\0" not in start:
        return "utf-8"
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 4 < len(start) or min(even, odd) * 10 > max(even, odd):
        raise FileRefusedError(path, "cannot be read as Parquet or CSV: it is binary")
    return "utf-16-le" if odd > even else "utf-16-be"

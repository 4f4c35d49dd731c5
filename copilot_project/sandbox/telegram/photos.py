"""Pictures and documents that were sent, one file each: their ids hold after a restart, as Telegram's do."""

import re
from pathlib import Path

FILE_ID = re.compile(r"[\w-]{1,200}")


class Photos:
    def __init__(self, folder: Path, suffix: str = ".png") -> None:
        self._folder = folder
        self._suffix = suffix
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, file_id: str, content: bytes) -> None:
        path = self._folder / f"{file_id}{self._suffix}"
        if not path.exists():
            path.write_bytes(content)

    def find(self, file_id: str) -> bytes | None:
        """None for an id that was never given out."""
        path = self._folder / f"{file_id}{self._suffix}"
        return path.read_bytes() if FILE_ID.fullmatch(file_id) and path.exists() else None

"""Why a file is not imported."""

from pathlib import Path


class FileRefusedError(Exception):
    """The file as a whole was refused; the message names it, where it can the line, and what to do."""

    def __init__(self, path: Path, reason: str, line: int | None = None) -> None:
        super().__init__(f"{path}{f':{line}' if line else ''}: {reason}")

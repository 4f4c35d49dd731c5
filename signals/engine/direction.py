"""Which way a signal goes. Apart from the compiled code, so that tables can name it without loading that."""

from enum import StrEnum


class Direction(StrEnum):
    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        return 1 if self is Direction.LONG else -1

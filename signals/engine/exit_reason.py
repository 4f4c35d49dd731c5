"""Why a followed signal ended. Apart from the compiled code, so that tables can name it without loading that."""

from enum import StrEnum


class ExitReason(StrEnum):
    STOP = "stop"
    TARGET = "target"
    EXPIRY = "expiry"

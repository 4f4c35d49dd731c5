"""What a decision came to. Apart from the compiled code, so that tables can name it without loading that."""

from enum import StrEnum


class Outcome(StrEnum):
    SIGNAL = "signal"
    NONE = "none"
    REFUSED = "refused"
    ABSTAINED = "abstained"

"""The names of what is wrong with a bar, and of what became of it; `quality` finds it."""

from enum import StrEnum


class QualityKind(StrEnum):
    NOT_FINITE = "not_finite"
    NON_POSITIVE_PRICE = "non_positive_price"
    HIGH_BELOW_LOW = "high_below_low"
    OPEN_CLOSE_OUTSIDE_RANGE = "open_close_outside_range"
    NEGATIVE_VOLUME = "negative_volume"
    MISALIGNED = "misaligned"
    FUTURE = "future"
    UNFINISHED = "unfinished"
    DUPLICATE = "duplicate"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    OUT_OF_ORDER = "out_of_order"
    GAP = "gap"
    NO_TRADES = "no_trades"
    SWAPPED_VOLUME = "swapped_volume"  # judged where a file is read: only there both volumes are known
    FALLBACK_SOURCE = "fallback_source"  # judged where it was fetched: another exchange stood in


class QualityAction(StrEnum):
    REFUSED = "refused"
    FLAGGED = "flagged"

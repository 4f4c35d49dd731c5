"""The ledger, the decisions and the signs of life: to be read, never edited. One topic a module."""

from signals.admin import evaluations, experiments, fits, jobs, kill_switch, ledger, liveness, signals
from signals.admin.read_only import DIRECTION_LABELS, ReadOnlyAdmin, one_line, short_hash

__all__ = [
    "DIRECTION_LABELS",
    "ReadOnlyAdmin",
    "evaluations",
    "experiments",
    "fits",
    "jobs",
    "kill_switch",
    "ledger",
    "liveness",
    "one_line",
    "short_hash",
    "signals",
]

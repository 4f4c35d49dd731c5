"""What was replayed, and what was tried."""

from research.models.replay import ReplayDelivery, ReplayRun, ReplaySignal
from research.models.study import Study, Trial, TrialQuerySet, TrialState
from research.models.track_record import TrackRecord

__all__ = [
    "ReplayDelivery",
    "ReplayRun",
    "ReplaySignal",
    "Study",
    "TrackRecord",
    "Trial",
    "TrialQuerySet",
    "TrialState",
]

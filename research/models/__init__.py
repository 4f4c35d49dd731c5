"""What was replayed, what was tried, and what was asked for on the research pages."""

from research.models.backtest import Backtest, BacktestQuerySet
from research.models.ended_chunk import EndedChunk
from research.models.policy import PolicyCheckpoint
from research.models.portfolio import PortfolioStudy
from research.models.replay import ReplayDelivery, ReplayRun, ReplaySignal
from research.models.study import Study, Trial, TrialQuerySet, TrialState
from research.models.sweep import Sweep, SweepQuerySet
from research.models.track_record import TrackRecord

__all__ = [
    "Backtest",
    "BacktestQuerySet",
    "EndedChunk",
    "PolicyCheckpoint",
    "PortfolioStudy",
    "ReplayDelivery",
    "ReplayRun",
    "ReplaySignal",
    "Study",
    "Sweep",
    "SweepQuerySet",
    "TrackRecord",
    "Trial",
    "TrialQuerySet",
    "TrialState",
]

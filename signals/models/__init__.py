"""What was decided, what was published, and what everybody needs to know that the system is alive."""

from signals.models.actions import Action
from signals.models.evaluation import Evaluation
from signals.models.evidence import Evidence, ShadowOutcome
from signals.models.experiments import Assignment, Experiment, ExperimentArm, ExperimentState
from signals.models.fits import (
    REFRESHED_AFTER,
    USABLE_FOR,
    AnomalyForest,
    Fitted,
    FittedQuerySet,
    InstrumentFit,
    PartnerChoice,
    PolicyChoice,
    VolatilityFit,
)
from signals.models.jobs import ENDED, Job, JobState
from signals.models.kill_switch import (
    KILL_SWITCH_CHANNEL,
    LONGEST_NAME,
    LONGEST_REASON,
    KillSwitch,
    KillSwitchChange,
    KillSwitchState,
    TradingState,
)
from signals.models.ledger import LedgerEntry, LedgerHead
from signals.models.liveness import Alarm, Heartbeat, ScheduledSlot
from signals.models.outcome import SignalOutcome
from signals.models.signal import Signal, SignalQuerySet, SignalSource
from signals.models.stop_raise import StopRaise
from signals.models.trained_model import ModelState, PayloadFormat, TrainedModel
from signals.models.truncation import never_truncated
from signals.models.weights import StrategyWeight
from signals.models.words import with_words, words_column

__all__ = [
    "ENDED",
    "KILL_SWITCH_CHANNEL",
    "LONGEST_NAME",
    "LONGEST_REASON",
    "REFRESHED_AFTER",
    "USABLE_FOR",
    "Action",
    "Alarm",
    "AnomalyForest",
    "Assignment",
    "Evaluation",
    "Evidence",
    "Experiment",
    "ExperimentArm",
    "ExperimentState",
    "Fitted",
    "FittedQuerySet",
    "Heartbeat",
    "InstrumentFit",
    "Job",
    "JobState",
    "KillSwitch",
    "KillSwitchChange",
    "KillSwitchState",
    "LedgerEntry",
    "LedgerHead",
    "ModelState",
    "PartnerChoice",
    "PayloadFormat",
    "PolicyChoice",
    "ScheduledSlot",
    "ShadowOutcome",
    "Signal",
    "SignalOutcome",
    "SignalQuerySet",
    "SignalSource",
    "StopRaise",
    "StrategyWeight",
    "TradingState",
    "TrainedModel",
    "VolatilityFit",
    "never_truncated",
    "with_words",
    "words_column",
]

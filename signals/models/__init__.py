"""What was decided, what was published, and what everybody needs to know that the house is alive."""

from signals.models.evaluation import Evaluation
from signals.models.fits import AnomalyForest, PartnerChoice, VolatilityFit
from signals.models.kill_switch import (
    KILL_SWITCH_CHANNEL,
    LONGEST_NAME,
    LONGEST_REASON,
    KillSwitch,
    KillSwitchChange,
    KillSwitchState,
)
from signals.models.liveness import Alarm, Heartbeat, ScheduledSlot
from signals.models.outcome import SignalOutcome
from signals.models.signal import Signal, SignalQuerySet, SignalSource
from signals.models.truncation import never_truncated
from signals.models.weights import StrategyWeight

__all__ = [
    "KILL_SWITCH_CHANNEL",
    "LONGEST_NAME",
    "LONGEST_REASON",
    "Alarm",
    "AnomalyForest",
    "Evaluation",
    "Heartbeat",
    "KillSwitch",
    "KillSwitchChange",
    "KillSwitchState",
    "PartnerChoice",
    "ScheduledSlot",
    "Signal",
    "SignalOutcome",
    "SignalQuerySet",
    "SignalSource",
    "StrategyWeight",
    "VolatilityFit",
    "never_truncated",
]

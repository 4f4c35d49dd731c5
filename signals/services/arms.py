"""Who belongs to which arm. Apart from the plan and its settings, which load the decision code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from signals.engine.assignment import arm_of, block_of, intervals
from signals.engine.timeframe import Timeframe
from signals.models import Assignment, Experiment, ExperimentArm, Signal, SignalSource


@dataclass(frozen=True, slots=True)
class ArmInterval:
    """Subscribers whose draw under `salt` lies in [low, high) belong to the arm."""

    salt: str
    low: float
    high: float


def running_arms(*, closed_at: datetime) -> list[ExperimentArm]:
    """The arms that decide on a candle which closed at `closed_at`, the control first; none without an experiment."""
    arms = ExperimentArm.objects.filter(experiment__in=Experiment.objects.at(closed_at))
    return list(arms.select_related("experiment").order_by("position"))


def arm_of_block(arms: Sequence[ExperimentArm], *, closed_at: datetime) -> ExperimentArm | None:
    """Whose turn it is to publish at `closed_at`; None where arms are not assigned by block."""
    experiment = arms[0].experiment
    if experiment.assignment != Assignment.BLOCK or experiment.block_hours is None:
        return None
    block = block_of(int(closed_at.timestamp() * 1000), experiment.block_hours)
    return arms[arm_of(experiment.salt, block, [arm.share for arm in arms])]


def subscribers_of(signal: Signal) -> ArmInterval | None:
    """Whom the signal's arm belongs to; None where it is for everybody."""
    if signal.source != SignalSource.HYBRID:
        return None
    if signal.variant:
        arm = ExperimentArm.objects.select_related("experiment").filter(variant=signal.variant).first()
    else:
        closed_at = signal.candle_open_time + timedelta(seconds=Timeframe(signal.timeframe).seconds)
        arm = next(iter(running_arms(closed_at=closed_at)), None)
    if arm is None or arm.experiment.assignment != Assignment.SUBSCRIBER:
        return None
    shares = arm.experiment.arms.order_by("position").values_list("share", flat=True)
    low, high = intervals(list(shares))[arm.position]
    return ArmInterval(arm.experiment.salt, low, high)

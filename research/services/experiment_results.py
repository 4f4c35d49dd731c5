"""What an experiment has shown so far, arm by arm, and what may be concluded."""

from collections import defaultdict
from datetime import datetime, timedelta

import numpy as np

from notifications.models import Answer, Delivery, DeliveryKind, DeliveryState
from research.engine.ab_test import ArmRecord, Judgement, by_unit, judge
from signals.engine.assignment import arm_of, block_of
from signals.engine.hybrid import BASE_TIMEFRAME
from signals.models import Assignment, Experiment, ExperimentArm, Signal, SignalOutcome, SignalSource
from users.models import Subscriber

BASE_PERIOD = timedelta(seconds=BASE_TIMEFRAME.seconds)
DAY_HOURS = 24

Measured = dict[str, tuple[list[float], list[str]]]


class NotStartedError(Exception):
    """There is nothing to measure of an experiment that was never started."""


def measure(*, experiment: Experiment, as_of: datetime) -> Judgement:
    """The arms against the control by what is known at `as_of`; it may be asked as often as one likes.

    Results of signals are counted by block of signal time (a day where arms are drawn by subscriber): all subscribers
    of an arm get the same signals, so that they are no independent evidence of them. What is acted on counts by
    subscriber, or by block where that was assigned; only of signals that were sent and have expired.
    """
    if experiment.started_at is None:
        raise NotStartedError(f"{experiment} was never started")
    end = min(experiment.end or as_of, as_of)
    hours = experiment.block_hours or DAY_HOURS
    arms = list(experiment.arms.order_by("position"))
    signals = Signal.objects.filter(
        source=SignalSource.HYBRID,
        timeframe=BASE_TIMEFRAME.value,
        variant__in=[arm.variant for arm in arms],
        candle_open_time__gte=experiment.started_at - BASE_PERIOD,
        candle_open_time__lt=end - BASE_PERIOD,
    )
    block = {pk: _block(opened, hours) for pk, opened in signals.values_list("pk", "candle_open_time")}
    results: Measured = defaultdict(lambda: ([], []))
    ended = SignalOutcome.objects.filter(signal__in=signals, recorded_at__lte=as_of)
    for variant, pk, r_multiple in ended.values_list("signal__variant", "signal_id", "r_multiple"):
        results[variant][0].append(r_multiple)
        results[variant][1].append(block[pk])
    acted: Measured = defaultdict(lambda: ([], []))
    sent = Delivery.objects.filter(
        signal__in=signals.filter(expires_at__lte=as_of), kind=DeliveryKind.SIGNAL, state=DeliveryState.SENT
    )
    by_subscriber = experiment.assignment == Assignment.SUBSCRIBER
    for variant, pk, subscriber, answer in sent.values_list(
        "signal__variant", "signal_id", "subscriber_id", "feedback__answer"
    ):
        acted[variant][0].append(float(answer == Answer.ACTED))
        acted[variant][1].append(str(subscriber) if by_subscriber else block[pk])
    assigned = _subscribers(experiment, arms) if by_subscriber else _blocks(experiment, arms, end)
    return judge(
        [_record(arm, assigned[arm.position], results[arm.variant], acted[arm.variant]) for arm in arms]
    )


def _record(
    arm: ExperimentArm,
    assigned: int,
    results: tuple[list[float], list[str]],
    acted: tuple[list[float], list[str]],
) -> ArmRecord:
    r_multiples, blocks = results
    return ArmRecord(
        arm.name,
        arm.share,
        assigned,
        r_multiple=by_unit(r_multiples, blocks),
        hit_rate=by_unit((np.array(r_multiples) > 0).astype(np.float64), blocks),
        acted_share=by_unit(*acted),
    )


def _block(candle_open_time: datetime, hours: int) -> str:
    return block_of(int((candle_open_time + BASE_PERIOD).timestamp() * 1000), hours)


def _subscribers(experiment: Experiment, arms: list[ExperimentArm]) -> list[int]:
    """How many active subscribers with a chat belong to each arm."""
    shares, counted = [arm.share for arm in arms], [0] * len(arms)
    linked = Subscriber.objects.filter(status="active", chat_id__isnull=False)
    for public_id in linked.values_list("public_id", flat=True):
        counted[arm_of(experiment.salt, str(public_id), shares)] += 1
    return counted


def _blocks(experiment: Experiment, arms: list[ExperimentArm], end: datetime) -> list[int]:
    """How many blocks of signal time that have begun belong to each arm."""
    shares, counted = [arm.share for arm in arms], [0] * len(arms)
    hours, started = experiment.block_hours or DAY_HOURS, experiment.started_at or end
    first, last = (int(block_of(int(moment.timestamp() * 1000), hours)) for moment in (started, end))
    for block in range(first, last + 1):
        counted[arm_of(experiment.salt, str(block), shares)] += 1
    return counted

"""Experiments: planned, started and ended on record (`arms`: who belongs to which)."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from signals.engine.assignment import intervals
from signals.engine.hybrid import DEFAULTS, HybridSettings
from signals.engine.timeframe import Timeframe
from signals.models import Assignment, Experiment, ExperimentArm
from signals.services.actions import record_action

# What the volatility forecast and the windows are made for; an arm that changed them would compare other things.
NOT_OPEN_TO_ARMS = frozenset(("validity_bars", "window_bars"))
OPEN_TO_ARMS = tuple(
    each.name
    for each in fields(HybridSettings)
    if "bounds" in each.metadata and each.name not in NOT_OPEN_TO_ARMS
)
WEIGHTS = "timeframe_weights"
VARIANT = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class ExperimentError(ValueError):
    """The plan or the step cannot be; the message says why."""


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """settings: what differs from the live settings, by name; `timeframe_weights` by timeframe."""

    name: str
    share: float
    variant: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def create_experiment(
    *,
    name: str,
    question: str,
    assignment: str,
    arms: Sequence[ArmPlan],
    by: str,
    now: datetime,
    block_hours: int | None = None,
    ends_at: datetime | None = None,
) -> Experiment:
    """Plan a test. The first arm is the control; the settings of all are frozen as they are now."""
    if not name.strip() or not question.strip():
        raise ExperimentError("an experiment needs a name, and a question that it is to answer")
    if assignment not in Assignment.values:
        raise ExperimentError(f"assignment must be one of {', '.join(Assignment.values)}, not {assignment!r}")
    if (assignment == Assignment.BLOCK) != (block_hours is not None and block_hours >= 1):
        raise ExperimentError("block_hours, 1 at least, is given for an assignment by block and for no other")
    if ends_at is not None and ends_at <= now:
        raise ExperimentError("ends_at has passed already")
    frozen = _checked(arms)
    try:
        with transaction.atomic():
            experiment = Experiment.objects.create(
                name=name.strip(),
                question=question.strip(),
                assignment=assignment,
                block_hours=block_hours,
                salt=secrets.token_hex(16),
                created_at=now,
                created_by=by,
                ends_at=ends_at,
            )
            ExperimentArm.objects.bulk_create(
                ExperimentArm(
                    experiment=experiment,
                    position=position,
                    name=arm.name.strip(),
                    variant=arm.variant,
                    settings=settings,
                    share=arm.share,
                )
                for position, (arm, settings) in enumerate(zip(arms, frozen, strict=True))
            )
            _record("experiment.created", experiment, by, now, {arm.name: arm.share for arm in arms})
    except IntegrityError as error:
        raise ExperimentError("the name of the experiment or of a variant was used before") from error
    return experiment


def start_experiment(*, experiment: Experiment, by: str, now: datetime) -> Experiment:
    """From the next candle that closes on, each arm decides."""
    try:
        with transaction.atomic():
            found = Experiment.objects.select_for_update().get(pk=experiment.pk)
            if found.started_at or found.ended_at:
                raise ExperimentError(f"{found} was {'started' if found.started_at else 'withdrawn'} already")
            if found.ends_at and found.ends_at <= now:
                raise ExperimentError(f"the planned end of {found} has passed: plan it anew")
            found.started_at = now
            found.save(update_fields=["started_at"])
            _record("experiment.started", found, by, now)
    except IntegrityError as error:
        raise ExperimentError("another experiment runs: end it first, so that arms do not mix") from error
    return found


def end_experiment(*, experiment: Experiment, by: str, conclusion: str, now: datetime) -> Experiment:
    """No candle that closes from now on belongs to it. One that was never started is withdrawn."""
    if not conclusion.strip() or not by.strip():
        raise ExperimentError("say who ends it, and why or with which conclusion")
    with transaction.atomic():
        found = Experiment.objects.select_for_update().get(pk=experiment.pk)
        if found.ended_at:
            raise ExperimentError(f"{found} has ended already")
        found.ended_at, found.ended_by, found.conclusion = now, by, conclusion.strip()
        found.save(update_fields=["ended_at", "ended_by", "conclusion"])
        _record("experiment.ended", found, by, now, {"conclusion": found.conclusion})
    return found


def settings_of(arm: ExperimentArm) -> HybridSettings:
    """ValueError where this version cannot read what was frozen."""
    values = dict(arm.settings)
    unknown = set(values) - set(OPEN_TO_ARMS) - {WEIGHTS}
    if unknown:
        raise ExperimentError(f"settings of {arm}: {', '.join(sorted(unknown))} cannot be set any more")
    return _built(values)


def _checked(arms: Sequence[ArmPlan]) -> list[dict[str, Any]]:
    """Complete settings of each arm."""
    if len(arms) < 2:
        raise ExperimentError("an experiment needs a control and another arm at least")
    if len({arm.name.strip() for arm in arms} - {""}) < len(arms):
        raise ExperimentError("each arm needs a name of its own")
    if arms[0].variant or not all(VARIANT.fullmatch(arm.variant) for arm in arms[1:]):
        raise ExperimentError(
            "the control has no variant, every other arm one of small letters, digits and hyphens"
        )
    try:
        intervals([arm.share for arm in arms])
    except ValueError as error:
        raise ExperimentError(str(error)) from error
    return [_complete(arm) for arm in arms]


def _complete(arm: ArmPlan) -> dict[str, Any]:
    unknown = set(arm.settings) - set(OPEN_TO_ARMS) - {WEIGHTS}
    if unknown:
        raise ExperimentError(
            f"{arm.name}: {', '.join(sorted(unknown))} cannot be set; open to arms are "
            f"{', '.join((*OPEN_TO_ARMS, WEIGHTS))}"
        )
    try:
        built = _built(arm.settings)
    except (ValueError, TypeError) as error:
        raise ExperimentError(f"{arm.name}: {error}") from error
    weights = {timeframe.value: weight for timeframe, weight in built.timeframe_weights.items()}
    return {name: getattr(built, name) for name in OPEN_TO_ARMS} | {WEIGHTS: weights}


def _built(values: Mapping[str, Any]) -> HybridSettings:
    """Settings that differ from the live ones by `values`; ValueError or TypeError where they cannot be."""
    weights = values.get(WEIGHTS, DEFAULTS.timeframe_weights)
    unknown = set(weights) - set(DEFAULTS.timeframe_weights)
    if unknown:
        raise ValueError(f"{WEIGHTS}: {', '.join(sorted(unknown))} is not read by the fused decision")
    given = {name: _number(name, value) for name, value in values.items() if name != WEIGHTS}
    return HybridSettings(
        timeframe_weights={Timeframe(name): float(weight) for name, weight in weights.items()}, **given
    )


def _number(name: str, value: Any) -> Any:
    """Of the kind that the setting is: JSON and forms do not tell 6 from 6.0."""
    whole = isinstance(getattr(DEFAULTS, name), int)
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and value != int(value)):
        raise TypeError(f"{name} must be {'a whole' if whole else 'a'} number, not {value!r}")
    return int(value) if whole else float(value)


def _record(
    what: str, experiment: Experiment, by: str, now: datetime, after: dict[str, Any] | None = None
) -> None:
    record_action(actor=by, what=what, target=experiment.name, now=now, after=after)

"""The champion of this process: loaded when it changes, no restart needed; unusable ones never decide.

A model whose bytes are not those that were trained, or that reads other features than today's, raises an Alarm; what
was loaded before it goes on deciding, and where there is nothing the rules do.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction

from autopilot.engine.selector import SchemaError, SelectorModel
from autopilot.services.challenger import open_model
from autopilot.services.training import ALL_INSTRUMENTS, KIND
from signals.engine.standing import standing
from signals.models import Alarm, TrainedModel
from signals.services.trained_models import ModelCorruptError, champions, changes_of_champions

logger = structlog.get_logger(__name__)

ALARM = "selector unusable"
NO_MODEL = "no model has been promoted: rules go on"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedChampion:
    """`model` None: rules decide, and `why` says why. `row` is the model's row."""

    model: SelectorModel | None
    row: TrainedModel | None
    why: str


_kept: dict[str, tuple[int, LoadedChampion]] = {}


def loaded_champion(*, as_of: datetime) -> LoadedChampion:
    """Who decides at `as_of`. One small query; the model is read only when it is another one than before."""
    row = champion_row(as_of)
    if row is None:
        _kept.pop(KIND, None)
        return LoadedChampion(None, None, NO_MODEL)
    kept = _kept.get(KIND)
    if kept and kept[0] == row.pk:
        return kept[1]
    try:
        model = open_model(TrainedModel.objects.get(pk=row.pk))
    except (ModelCorruptError, SchemaError, ValueError) as error:
        return _without(row, str(error), as_of)
    loaded = LoadedChampion(model, row, f"model {row.pk}")
    _kept[KIND] = (row.pk, loaded)
    Alarm.objects.filter(name=ALARM, cleared_at=None).update(cleared_at=as_of)
    return loaded


def champion_row(as_of: datetime) -> TrainedModel | None:
    return standing(
        ("selector", ALL_INSTRUMENTS),
        as_of,
        changes=lambda: changes_of_champions(kinds=[KIND], scopes=[ALL_INSTRUMENTS]),
        ask=lambda: _champion_row(as_of),
    )


def _champion_row(as_of: datetime) -> TrainedModel | None:
    rows = champions(kind=KIND, scope=ALL_INSTRUMENTS, as_of=as_of)
    return rows.defer("payload", "metrics").first()


def forget_loaded() -> None:
    """For tests: as a process that has just started."""
    _kept.clear()


def _without(row: TrainedModel, why: str, as_of: datetime) -> LoadedChampion:
    with transaction.atomic():
        _, is_new = Alarm.objects.get_or_create(
            name=ALARM, cleared_at=None, defaults={"raised_at": as_of, "detail": why[:200]}
        )
    if is_new:
        logger.error("selector cannot be used", model=row.pk, error=why)
    kept = _kept.get(KIND)
    if kept and kept[1].model:
        return LoadedChampion(kept[1].model, kept[1].row, f"{why}; the model before it goes on")
    return LoadedChampion(None, row, f"{why}; rules go on")

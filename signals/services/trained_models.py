"""Trained models: kept as candidates, promoted to champion, rolled back; each step on record."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from signals.engine.packing import BytesAlteredError, require_unaltered, sha256_of
from signals.models import Job, ModelState, PayloadFormat, TrainedModel
from signals.services.actions import record_action
from signals.telemetry import MODEL_LOADS

SYSTEM = "system"


class ModelCorruptError(Exception):
    """The stored payload is not what was trained; the message says what to do."""


class ModelStateError(Exception):
    """The step does not fit the model's state; the message says why."""


def register_model(  # noqa: PLR0913  (a model's whole origin)
    *,
    kind: str,
    scope: str,
    payload: bytes,
    payload_format: str,
    feature_schema: Any,
    data_from: datetime,
    data_to: datetime,
    metrics: dict[str, Any],
    reason: str,
    known_at: datetime,
    now: datetime,
    job: Job | None = None,
) -> TrainedModel:
    """Keep a trained model as a candidate; it decides nothing until it is promoted."""
    if not payload:
        raise ValueError("a model without a payload")
    with transaction.atomic():
        model = TrainedModel.objects.create(
            kind=kind,
            scope=scope,
            payload=payload,
            sha256=sha256_of(payload),
            payload_format=PayloadFormat(payload_format),
            feature_schema=feature_schema,
            data_from=data_from,
            data_to=data_to,
            code_version=settings.CODE_VERSION,
            metrics=metrics,
            reason=reason,
            known_at=known_at,
            trained_at=now,
            job=job,
        )
        _record("model.registered", model, by=job.owner if job else "", now=now, after=_summary(model))
    return model


def promote_model(*, model: TrainedModel, by: str, now: datetime) -> TrainedModel:
    """Make a candidate the champion of its kind and scope; the champion before it is retired."""
    with transaction.atomic():
        model = _locked(model, ModelState.CANDIDATE)
        verified_payload(model)
        before = _retire_champion(kind=model.kind, scope=model.scope, state=ModelState.RETIRED, now=now)
        _crown(model, now)
        _record("model.promoted", model, by=by, now=now, before=before, after=_summary(model))
    return model


def reject_model(*, model: TrainedModel, reason: str, now: datetime) -> TrainedModel:
    """A candidate that is no better than what decides already, or than its baseline."""
    with transaction.atomic():
        model = _locked(model, ModelState.CANDIDATE)
        before = _summary(model)
        model.state, model.reason = ModelState.REJECTED, reason
        model.save(update_fields=["state", "reason"])
        after = _summary(model) | {"reason": reason}
        _record("model.rejected", model, by="", now=now, before=before, after=after)
    return model


def roll_back(*, kind: str, scope: str, by: str, now: datetime) -> TrainedModel:
    """Back to the champion before this one, which is rejected so that it does not come back by itself."""
    with transaction.atomic():
        before = _retire_champion(kind=kind, scope=scope, state=ModelState.REJECTED, now=now)
        retired = TrainedModel.objects.filter(kind=kind, scope=scope, state=ModelState.RETIRED)
        model = retired.select_for_update().order_by("-retired_at", "-id").first()
        if model is None:
            raise ModelStateError(f"no earlier {kind} model of {scope or 'all instruments'} to go back to")
        verified_payload(model)
        _crown(model, now)
        _record("model.rolled_back", model, by=by, now=now, before=before, after=_summary(model))
    return model


def retire_champion(*, kind: str, scope: str, by: str, now: datetime) -> TrainedModel | None:
    """Nobody decides until another is promoted; who did so far, or None."""
    with transaction.atomic():
        before = _retire_champion(kind=kind, scope=scope, state=ModelState.RETIRED, now=now)
        if before is None:
            return None
        model = TrainedModel.objects.get(pk=before["id"])
        _record("model.reset", model, by=by, now=now, before=before, after=_summary(model))
    return model


def champion(*, kind: str, scope: str, as_of: datetime) -> TrainedModel | None:
    """Whose turn it was at `as_of`: known, promoted and not yet retired by then."""
    return champions(kind=kind, scope=scope, as_of=as_of).first()


def champions(*, kind: str, scope: str, as_of: datetime) -> QuerySet[TrainedModel]:
    """The same as rows, the one whose turn it was first: whoever asks often leaves the payload out."""
    models = TrainedModel.objects.filter(kind=kind, scope=scope, promoted_at__lte=as_of).known_at(as_of)
    current = models.filter(Q(retired_at=None) | Q(retired_at__gt=as_of))
    rows: QuerySet[TrainedModel] = current.order_by("-promoted_at", "-id")
    return rows


def changes_of_champions(*, kinds: Iterable[str], scopes: Iterable[str]) -> set[datetime | None]:
    """The moments at which another one's turn may have come."""
    rows = TrainedModel.objects.filter(kind__in=kinds, scope__in=scopes).exclude(promoted_at=None)
    return {moment for row in rows.values_list("promoted_at", "known_at", "retired_at") for moment in row}


def verified_payload(model: TrainedModel) -> bytes:
    """The payload as it was trained; ModelCorruptError when its hash says otherwise."""
    payload = bytes(model.payload)
    try:
        require_unaltered(payload, sha256=model.sha256)
    except BytesAlteredError as error:
        MODEL_LOADS.labels(outcome="error").inc()
        raise ModelCorruptError(
            f"{model} has been altered: reject it or roll back, then train anew"
        ) from error
    MODEL_LOADS.labels(outcome="ok").inc()
    return payload


def _locked(model: TrainedModel, state: ModelState) -> TrainedModel:
    found = TrainedModel.objects.select_for_update().get(pk=model.pk)
    if found.state != state:
        raise ModelStateError(f"{found} is no {state.label.lower()}")
    return found


def _retire_champion(*, kind: str, scope: str, state: ModelState, now: datetime) -> dict[str, Any] | None:
    champions = TrainedModel.objects.filter(kind=kind, scope=scope, state=ModelState.CHAMPION)
    old = champions.select_for_update().first()
    if old is None:
        return None
    before = _summary(old)
    old.state, old.retired_at = state, now
    old.save(update_fields=["state", "retired_at"])
    return before


def _crown(model: TrainedModel, now: datetime) -> None:
    model.state, model.promoted_at, model.retired_at = ModelState.CHAMPION, now, None
    model.save(update_fields=["state", "promoted_at", "retired_at"])


def _summary(model: TrainedModel) -> dict[str, Any]:
    return {"id": model.pk, "state": model.state, "sha256": model.sha256}


def _record(
    what: str,
    model: TrainedModel,
    *,
    by: str,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    target = f"model {model.pk}: {model.kind} {model.scope}".rstrip()
    record_action(actor=by or SYSTEM, what=what, target=target, now=now, before=before, after=after)

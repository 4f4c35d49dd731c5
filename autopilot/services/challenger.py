"""Whether a trained selector takes over: it must have beaten its baselines, and the champion on what that never saw."""

from datetime import datetime
from typing import Any, Protocol

import numpy as np

from autopilot.engine.bootstrap import Samples
from autopilot.engine.selector import SchemaError, SelectorModel
from autopilot.engine.skill import FEWEST_BLOCKS, IntArray, Judged, gain_bound, pays_verdict, row_log_loss
from signals.engine.moment import milliseconds
from signals.models import TrainedModel
from signals.services.trained_models import (
    ModelCorruptError,
    champion,
    promote_model,
    reject_model,
    verified_payload,
)


class JudgedFit(Protocol):
    @property
    def promoted(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def judged(self) -> Judged: ...
    @property
    def judged_rows(self) -> IntArray: ...


def proof(fitted: JudgedFit, horizon_ms: int) -> tuple[bool, str]:
    """(whether it beats every baseline, in log-loss and in what its choices made; the whole reason)."""
    if not fitted.promoted:
        return False, fitted.reason
    pays, why = pays_verdict(fitted.judged, horizon_ms)
    return pays, f"{fitted.reason}; {why if pays else 'but ' + why}"


def settle(
    *, model: TrainedModel, samples: Samples, fitted: JudgedFit, by: str, now: datetime
) -> TrainedModel:
    """Promote, reject, or leave as challenger until there are enough decisions to compare it with the champion."""
    proved, reason = proof(fitted, samples.horizon_ms)
    if not proved:
        return reject_model(model=model, reason=reason, now=now)
    standing = champion(kind=model.kind, scope=model.scope, as_of=now)
    if standing is None:
        return promote_model(model=model, by=by, now=now)
    try:
        asked = open_model(standing)
    except (ModelCorruptError, SchemaError, ValueError):
        return promote_model(model=model, by=by, now=now)  # a champion that cannot be asked defends nothing
    bound, blocks = gain_over(asked, standing, samples, fitted)
    if blocks < FEWEST_BLOCKS:
        model.reason = (
            f"{reason}; the champion stays: only {blocks} separate horizons since its data ended, "
            f"{FEWEST_BLOCKS} are needed to compare"
        )
        model.save(update_fields=["reason"])
        return model
    if bound > 0:
        return promote_model(model=model, by=by, now=now)
    why = f"the champion stays: on decisions since its data the gain over it may be as low as {bound:.4f} (99 %)"
    return reject_model(model=model, reason=why, now=now)


def open_model(model: TrainedModel) -> SelectorModel:
    """ModelCorruptError, SchemaError or ValueError where it cannot be used; the message says why."""
    payload = verified_payload(model)
    try:
        return SelectorModel(payload.decode(), model.feature_schema, model.metrics)
    except KeyError as error:
        raise SchemaError(f"the model's record lacks {error}: train anew") from error


def gain_over(
    asked: SelectorModel, standing: TrainedModel, samples: Samples, fitted: JudgedFit
) -> tuple[float, int]:
    """(lower bound of the challenger's gain in log-loss, blocks) on rows decided after the champion's data ended."""
    judged = fitted.judged
    new = judged.decided_at > milliseconds(standing.data_to)
    if not new.any():
        return float("-inf"), 0
    rows, labels, decided_at = fitted.judged_rows[new], judged.labels[new], judged.decided_at[new]
    told: Any = np.asarray(asked.booster.predict(samples.features[rows], num_threads=1))
    gains = row_log_loss(told, labels) - row_log_loss(judged.model[new], labels)
    blocks = len(np.unique((decided_at - decided_at[0]) // samples.horizon_ms))
    return gain_bound(gains, decided_at, samples.horizon_ms), blocks

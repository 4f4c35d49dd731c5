"""Policies as their page shows them."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from signals.market.models import Instrument
from signals.models import PolicyChoice, TrainedModel

KINDS = ("ppo", "dqn")


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One policy in a table; figures are None where it has none."""

    model: TrainedModel
    gates: list[tuple[str, bool]]
    sharpe: float | None
    win_rate: float | None
    profit: float | None
    weight: float | None
    resumed: bool


def trained_policies() -> QuerySet[TrainedModel]:
    """Without payloads; the newest first."""
    return TrainedModel.objects.filter(kind__in=KINDS).defer("payload").select_related("job")


def row_of(model: TrainedModel) -> PolicyRow:
    metrics: dict[str, Any] = model.metrics
    shown = metrics.get("out_of_sample", {})
    return PolicyRow(
        model=model,
        gates=[(gate["name"], gate["passed"]) for gate in metrics.get("gates", [])],
        sharpe=shown.get("sharpe"),
        win_rate=shown.get("win_rate"),
        profit=shown.get("profit"),
        weight=metrics.get("weight"),
        resumed=bool(metrics.get("resumed")),
    )


def choices() -> list[PolicyChoice]:
    """The newest of each instrument."""
    newest = PolicyChoice.objects.order_by("instrument_id", "-fitted_through").distinct("instrument_id")
    return list(newest.select_related("instrument"))


def instruments_of(model: TrainedModel) -> list[Instrument]:
    """Whom it may speak for: the one of its scope, or those that it was trained on."""
    rows = Instrument.objects.select_related("exchange")
    if model.scope:
        code, symbol, _ = model.scope.split(":", 2)
        return list(rows.filter(exchange__code=code, symbol=symbol))
    asked = model.job.parameters.get("instruments", []) if model.job else []
    return list(rows.filter(pk__in=asked))

"""Which selectors may be asked what they would have chosen, and one of them ready to be asked."""

from datetime import datetime

from autopilot.engine.model_choice import ModelDecider, ModelParameters
from signals.models import TrainedModel

KIND = "selector"


class ModelChoiceError(ValueError):
    """The model cannot be tested like this; the message says why."""


def model_row(*, pk: int, start: datetime, timeframe: str) -> TrainedModel:
    """Refused where the test would ask it about candles that it has learned from."""
    row = TrainedModel.objects.filter(pk=pk, kind=KIND).defer("payload").first()
    if row is None:
        raise ModelChoiceError(f"there is no selector with the number {pk}")
    if start < row.data_to:
        raise ModelChoiceError(
            f"model {pk} has learned from candles until {row.data_to:%Y-%m-%d %H:%M}Z: start at or after that, or the "
            "result shows what it remembers"
        )
    if row.feature_schema.get("timeframe") != timeframe:
        raise ModelChoiceError(f"model {pk} reads {row.feature_schema.get('timeframe')} candles")
    return row


def model_decider(*, pk: int, start: datetime, timeframe: str, parameters: ModelParameters) -> ModelDecider:
    from autopilot.services.challenger import open_model  # noqa: PLC0415  (training's libraries, in workers alone)

    row = model_row(pk=pk, start=start, timeframe=timeframe)
    return ModelDecider(open_model(TrainedModel.objects.get(pk=row.pk)), parameters)

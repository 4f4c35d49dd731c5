"""A selector with a whole record, fitted on noise once a process."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from autopilot.engine.bootstrap import Samples, TrainingMarket, collect_samples
from autopilot.engine.model_card import model_metrics
from autopilot.engine.selector import feature_schema
from autopilot.trainers.selector import SelectorFit, fit_samples
from signals.engine.timeframe import Timeframe
from signals.models import TrainedModel
from signals.services.trained_models import promote_model, register_model, reject_model
from tests.factories import make_series

START = datetime(2025, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@cache
def noise() -> tuple[Samples, SelectorFit, dict[str, Any]]:
    market = TrainingMarket("T/USDT", make_series(bars=1_500, start=START, seed=3))
    samples = collect_samples([market], timeframe=Timeframe.H1)
    fitted = fit_samples(samples)
    return samples, fitted, model_metrics(samples, fitted.judged, fitted.judged_rows, fitted.importance)


def make_selector(*, proved: bool, promoted: bool = False, rejected: bool = True) -> TrainedModel:
    _, fitted, metrics = noise()
    model = register_model(
        kind="selector",
        scope="",
        payload=fitted.model_text.encode(),
        payload_format="lightgbm-text",
        feature_schema=feature_schema("1h"),
        data_from=START,
        data_to=START + timedelta(hours=1_500),
        metrics=metrics | {"proved": proved},
        reason=fitted.reason,
        known_at=NOW,
        now=NOW,
    )
    if promoted:
        return promote_model(model=model, by="ada", now=NOW)
    return model if proved or not rejected else reject_model(model=model, reason=fitted.reason, now=NOW)

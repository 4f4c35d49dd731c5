"""When the selector is trained again without anybody asking: first candles, age, drift, loss of skill."""

from datetime import datetime, timedelta

import numpy as np
import structlog

from autopilot.engine.bootstrap import Samples, collect_samples
from autopilot.engine.model_card import DRIFTED, stability_indices
from autopilot.engine.skill import FEWEST_BLOCKS, row_log_loss
from autopilot.models import BootstrapConfig
from autopilot.services.bootstrap_config import get_bootstrap_config
from autopilot.services.champion import LoadedChampion, loaded_champion
from autopilot.services.training import (
    ALL_INSTRUMENTS,
    KIND,
    AlreadyRunning,
    newest_training,
    running_training,
    start_training,
)
from autopilot.services.training_run import TrainingError, load_markets
from signals.engine.timeframe import Timeframe
from signals.models import Job, TrainedModel

logger = structlog.get_logger(__name__)

OLDEST = timedelta(days=7)
# After a training that failed, or that drift asked for, there is not another at the next look.
SOONEST = timedelta(days=1)
LOOKED_AT_DAYS = 45
DRIFTED_FEATURES = 3


def retrain_if_due(*, now: datetime) -> Job | None:
    """Start a training where there is a reason to; the reason is in the log."""
    if running_training() is not None or _asked_lately(now):
        return None
    reason = reason_to_train(now)
    if not reason:
        return None
    try:
        job = start_training(owner="", now=now)
    except AlreadyRunning:
        return None  # somebody asked for it meanwhile
    logger.info("selector is trained again", reason=reason, job=str(job.pk))
    return job


def reason_to_train(now: datetime) -> str:
    """Empty where there is none, or where there are too few candles to train on."""
    config = get_bootstrap_config()
    newest = TrainedModel.objects.filter(kind=KIND, scope=ALL_INSTRUMENTS).defer("payload").first()
    try:
        recent = _recent(config)
    except TrainingError:
        return ""
    if newest is None:
        return "no model has been trained yet"
    if now - newest.trained_at >= OLDEST:
        return f"the newest model is of {newest.trained_at:%Y-%m-%d}"
    return _worse(loaded_champion(as_of=now), recent)


def _recent(config: BootstrapConfig) -> Samples:
    timeframe = Timeframe(config.timeframe)
    markets = load_markets(symbols=config.symbols, timeframe=timeframe, days=LOOKED_AT_DAYS)
    return collect_samples(markets, timeframe=timeframe)


def _worse(champion: LoadedChampion, recent: Samples) -> str:
    """Whether the champion's features have moved, or it tells less than the class frequencies of its training."""
    if champion.model is None or champion.row is None or len(recent) == 0:
        return ""
    card = TrainedModel.objects.values_list("metrics", flat=True).get(pk=champion.row.pk)
    index = stability_indices(card["drift"]["edges"], card["drift"]["expected"], recent.features)
    moved = [name for name, each in index.items() if each is not None and each > DRIFTED]
    if len(moved) >= DRIFTED_FEATURES:
        return f"features have moved: {', '.join(moved)}"
    span = int(recent.decided_at[-1] - recent.decided_at[0])
    if span < FEWEST_BLOCKS * recent.horizon_ms:
        return ""
    told = np.asarray(champion.model.booster.predict(recent.features, num_threads=1))
    counts = np.asarray(card["class_counts"]) + 1.0
    usual = np.tile(counts / counts.sum(), (len(recent), 1))
    gain = float((row_log_loss(usual, recent.labels) - row_log_loss(told, recent.labels)).mean())
    return (
        ""
        if gain > 0
        else f"it tells less than the class frequencies: {gain:.4f} over {len(recent)} decisions"
    )


def _asked_lately(now: datetime) -> bool:
    newest = newest_training()
    return newest is not None and now - newest.created_at < SOONEST

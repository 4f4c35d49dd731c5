"""A training of the selector, step by step: samples, fit, figures, and whether it takes over."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from django.db import transaction

from autopilot.engine.bootstrap import Samples, TrainingMarket, collect_samples, thinned
from autopilot.engine.group_vote import vote_weight
from autopilot.engine.model_card import model_metrics
from autopilot.engine.sampling import Sampling
from autopilot.engine.selector import feature_schema
from autopilot.engine.skill import IntArray, Judged
from autopilot.services.challenger import proof, settle
from autopilot.services.training import ALL_INSTRUMENTS, KIND
from signals.engine.candle import FloatArray
from signals.engine.cost_rates import MarketType
from signals.engine.features import FEATURES_WARM_UP
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.selectors import load_range, newest_open_time
from signals.models import Job, PayloadFormat, TrainedModel
from signals.services.trained_models import register_model

# A full sample of many instruments is thinned to so many rows: one thread fits them in a minute or two.
MOST_ROWS = 60_000
FEWEST_SAMPLES = 5

Progress = Callable[[int, int, str], None]


class TrainingError(ValueError):
    """There is nothing to train on; the message says what is missing."""


class SelectorFitted(Protocol):
    """What a trainer hands back."""

    @property
    def model_text(self) -> str: ...
    @property
    def promoted(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def rounds(self) -> int: ...
    @property
    def judged_rows(self) -> IntArray: ...
    @property
    def judged(self) -> Judged: ...
    @property
    def importance(self) -> FloatArray: ...


Fit = Callable[[Samples, Callable[[int, int], None]], SelectorFitted]


def train(
    *, job: Job, parameters: dict[str, Any], fit: Fit, progress: Progress, now: datetime
) -> dict[str, Any]:
    """Collect, fit, register, then promote or reject. A second attempt of the same job finds what the first made."""
    made = TrainedModel.objects.filter(job=job, kind=KIND).first()
    if made is not None:
        return result_of(made)
    timeframe = Timeframe(parameters["timeframe"])
    markets = load_markets(symbols=parameters["symbols"], timeframe=timeframe, days=parameters["days"])
    steps = 2 * len(markets)
    samples = collect_samples(
        markets,
        timeframe=timeframe,
        sampling=Sampling(parameters["sampling"]),
        min_samples_per_strategy=parameters["min_samples_per_strategy"],
        on_market=lambda number, name: progress(number, steps, f"samples of {name}"),
    )
    collected, samples = len(samples), thinned(samples, MOST_ROWS)
    if collected < FEWEST_SAMPLES:
        raise TrainingError(f"{collected} samples in all candles: import or backfill more of them")
    fitted = fit(
        samples,
        lambda done, total: progress(
            len(markets) + done * len(markets) // total, steps, f"part {done + 1} of {total} of the fit"
        ),
    )
    metrics = model_metrics(samples, fitted.judged, fitted.judged_rows, fitted.importance)
    proved, reason = proof(fitted, samples.horizon_ms)
    metrics |= {
        "parameters": parameters,
        "collected": collected,
        "rounds": fitted.rounds,
        "vote_weight": vote_weight(markets, timeframe, samples, fitted.judged, fitted.judged_rows),
        "proved": proved,
    }
    progress(steps, steps, "registers the model")
    with transaction.atomic():
        model = register_model(
            kind=KIND,
            scope=ALL_INSTRUMENTS,
            payload=fitted.model_text.encode(),
            payload_format=PayloadFormat.LIGHTGBM_TEXT,
            feature_schema=feature_schema(timeframe.value),
            data_from=_instant(min(int(market.candles.open_time[0]) for market in markets)),
            data_to=_instant(
                max(timeframe.close_time(int(market.candles.open_time[-1])) for market in markets)
            ),
            metrics=metrics,
            reason=reason,
            known_at=now,
            now=now,
            job=job,
        )
        model = settle(model=model, samples=samples, fitted=fitted, by=job.owner, now=now)
    return result_of(model)


def load_markets(*, symbols: Sequence[str], timeframe: Timeframe, days: int) -> list[TrainingMarket]:
    """Stored candles of the newest `days`, and before them what warms the features up. TrainingError for none."""
    markets = []
    for symbol in symbols:
        instrument = Instrument.objects.named(symbol).order_by("-is_active", "pk").first()
        if instrument is None:
            raise TrainingError(f"no instrument is called {symbol}")
        newest = newest_open_time(instrument_id=instrument.pk, timeframe=timeframe)
        if newest is None:
            continue
        end = newest + timedelta(seconds=timeframe.seconds)
        start = end - timedelta(days=days, seconds=FEATURES_WARM_UP * timeframe.seconds)
        candles = load_range(instrument_id=instrument.pk, timeframe=timeframe, start=start, end=end)
        if len(candles) > FEATURES_WARM_UP:
            can_short = instrument.market_type != MarketType.SPOT
            markets.append(TrainingMarket(instrument.symbol, candles, instrument.cost_rates(), can_short))
    if not markets:
        named = ", ".join(symbols)
        raise TrainingError(
            f"none of {named} has more than {FEATURES_WARM_UP} candles of {timeframe.value}: "
            "import or backfill them"
        )
    return markets


def result_of(model: TrainedModel) -> dict[str, Any]:
    """What a training's job tells: JSON."""
    measured = model.metrics["out_of_sample"]
    return {
        "model": model.pk,
        "state": model.state,
        "promoted": model.promoted_at is not None,
        "reason": model.reason,
        "samples": model.metrics["samples"],
        "judged": measured["n"],
        "accuracy": measured["accuracy"],
        "log_loss": measured["log_loss"],
        "majority_log_loss": measured["majority_log_loss"],
    }


def _instant(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)

"""Once a day for each instrument: which policy speaks for it, and whether one should be trained anew."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import structlog

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.performance import sharpe_ratio, win_rate
from signals.engine.policy_choice import Record, choose, drift
from signals.engine.timeframe import BASE_TIMEFRAME, TIMEFRAME_WEIGHTS, Timeframe
from signals.market.models import Instrument
from signals.market.selectors import load_window
from signals.models import ENDED, Job, PolicyChoice, TrainedModel
from signals.services.jobs import start_job
from signals.services.policy_votes import held_by, inputs, loaded, policies_for

logger = structlog.get_logger(__name__)

RECENT_BARS = 720
WARM_UP_BARS = 500
HOURS_A_YEAR = 24 * 365.25


def refresh_choice(*, instrument: Instrument, as_of: datetime, now: datetime) -> PolicyChoice | None:
    """Choose anew where the last choice is a day old; None where it is not, or no policy is a champion."""
    newest = PolicyChoice.objects.newest(
        instrument_id=instrument.pk, timeframe=BASE_TIMEFRAME.value, as_of=as_of
    )
    if newest is not None and not newest.is_due_again(as_of):
        return None
    champions = policies_for(instrument=instrument, as_of=as_of)
    if not champions:
        return None
    windows = {
        timeframe: load_window(
            instrument_id=instrument.pk,
            timeframe=timeframe,
            bars=WARM_UP_BARS + (RECENT_BARS if timeframe is BASE_TIMEFRAME else 0),
            as_of=as_of,
        )
        for timeframe in TIMEFRAME_WEIGHTS
    }
    try:
        bars, features = inputs(instrument, windows, as_of)
    except ValueError as error:
        logger.info("no policy can be judged", instrument=str(instrument), error=str(error))
        return None
    records = judge(champions, instrument, bars, features)
    current = newest.kind if newest is not None else ""
    kind = choose(current, records)
    choice, _ = PolicyChoice.objects.get_or_create(
        instrument=instrument,
        timeframe=BASE_TIMEFRAME.value,
        fitted_through=_closed_at(windows),
        defaults={
            "known_at": as_of,
            "fitted_at": now,
            "kind": kind,
            "weight": champions[kind].metrics.get("weight", 0.0) if kind else 0.0,
            "records": {
                name: {
                    "sharpe": each.sharpe,
                    "win_rate": each.win_rate,
                    "bars": each.bars,
                    "passes": each.passes,
                }
                for name, each in records.items()
            },
        },
    )
    for model in champions.values():
        _train_again_if_drifted(model, instrument, bars, features, as_of=as_of, now=now)
    return choice


def judge(
    champions: Mapping[str, TrainedModel], instrument: Instrument, bars: OHLCV, features: FloatArray
) -> dict[str, Record]:
    """Records of all on the same bars: the recent ones that none of them was trained on."""
    first = max(int(model.metrics.get("tested_from", 0)) for model in champions.values())
    return {kind: record_since(model, instrument, bars, features, first) for kind, model in champions.items()}


def record_since(
    model: TrainedModel, instrument: Instrument, bars: OHLCV, features: FloatArray, first: int
) -> Record:
    """Of the last RECENT_BARS that opened at `first` (UTC ms) or later."""
    gained, held = held_by(loaded(model), bars, features, instrument)
    counts = (bars.open_time[1:] >= first)[-RECENT_BARS:]
    gained, held = gained[-RECENT_BARS:][counts], held[:-1][-RECENT_BARS:][counts]
    sharpe = sharpe_ratio(gained, HOURS_A_YEAR) if len(gained) > 1 else float("nan")
    wins = win_rate(gained[held != 0]) if (held != 0).any() else float("nan")
    return Record(
        float(sharpe) if isfinite(sharpe) else None, float(wins) if isfinite(wins) else None, len(gained)
    )


def _train_again_if_drifted(
    model: TrainedModel,
    instrument: Instrument,
    bars: OHLCV,
    features: FloatArray,
    *,
    as_of: datetime,
    now: datetime,
) -> Job | None:
    """A job like the one that trained it, up to now; none while one is under way, or where nobody knows how."""
    since = int(model.data_to.timestamp() * 1000)
    recent = features[bars.open_time >= since]
    if len(recent) == 0 or model.job is None:
        return None
    metrics = model.metrics
    trained = metrics.get("out_of_sample", {})
    why = drift(
        trained=Record(trained.get("sharpe"), trained.get("win_rate"), RECENT_BARS),
        live=record_since(model, instrument, bars, features, since),
        feature_mean=metrics["feature_mean"],
        feature_deviation=metrics["feature_deviation"],
        recent=recent,
    )
    if not why or Job.objects.filter(kind="train_policy").exclude(state__in=ENDED).exists():
        return None
    asked: dict[str, Any] = model.job.parameters
    begun, ended = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
    parameters = asked | {
        "start": (begun + (as_of - ended)).isoformat(),
        "end": as_of.isoformat(),
        "algorithms": [model.kind],
        "reason": f"{instrument.symbol}: {why}",
    }
    return start_job(kind="train_policy", parameters=parameters, owner="", now=now)


def _closed_at(windows: Mapping[Timeframe, OHLCV]) -> datetime:
    newest = int(windows[BASE_TIMEFRAME].open_time[-1])
    return datetime.fromtimestamp(BASE_TIMEFRAME.close_time(newest) / 1000, UTC)

"""Experimental signals of policies that have not earned a vote: only tiers that include such signals get them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
from django.conf import settings

from signals.engine.candle import OHLCV
from signals.engine.direction import Direction
from signals.engine.exit_plan import ATR_PERIOD
from signals.engine.indicators.volatility import atr
from signals.engine.policy_features import SCHEMA
from signals.engine.strategy import StrategySignal
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.market.models import Instrument
from signals.models import ModelState, Signal, SignalSource, TrainedModel
from signals.services.gate import pass_gate
from signals.services.policy_votes import KINDS, held_by, inputs, loaded, policies_for, scope_of
from signals.services.publishing import publish

STOP_RANGES, TARGET_RANGES = 2.0, 3.0  # average true ranges; a policy has no stop of its own
BASE_PERIOD = timedelta(seconds=BASE_TIMEFRAME.seconds)


def try_out_policies(
    *, instrument: Instrument, windows: Mapping[Timeframe, OHLCV], candle_open_time: datetime, as_of: datetime
) -> list[Signal]:
    """A signal of each unproven policy that takes a position at this close, marked experimental.

    None without POLICY_VOTES, and none for a candle that closed a bar ago: nobody could enter there any more.
    """
    closed_at = candle_open_time + BASE_PERIOD
    if not settings.POLICY_VOTES or as_of - closed_at >= BASE_PERIOD:
        return []
    try:
        bars, features = inputs(instrument, windows, closed_at)
    except ValueError:
        return []
    published = []
    for model in unproven_policies(instrument=instrument, as_of=closed_at):
        before, wanted = held_by(loaded(model), bars, features, instrument)[1][-2:]
        decision = proposal(model, bars, wanted) if wanted not in {0, before} else None
        if decision is None:
            continue
        passage = pass_gate(
            instrument=instrument,
            signal=decision,
            source=SignalSource.HYBRID,
            as_of=closed_at,
            experimental=True,
        )
        published.append(
            publish(
                instrument=instrument,
                decision=decision,
                timeframe=BASE_TIMEFRAME,
                candle_open_time=candle_open_time,
                source=SignalSource.HYBRID,
                variant=decision.strategy,
                experimental=True,
                standing=passage.standing.value,
                evidence=passage.evidence,
            )
        )
    return published


def unproven_policies(*, instrument: Instrument, as_of: datetime) -> list[TrainedModel]:
    """Of each kind without a champion the newest that was kept: of this instrument alone, else of all."""
    proven = policies_for(instrument=instrument, as_of=as_of)
    known = TrainedModel.objects.filter(
        kind__in=set(KINDS) - set(proven),
        scope__in=(scope_of(instrument), ""),
        state__in=(ModelState.CANDIDATE, ModelState.REJECTED),
    ).known_at(as_of)
    found: dict[str, TrainedModel] = {}
    for model in known.defer("payload").order_by("scope", "known_at", "pk"):  # what comes later wins
        if model.feature_schema == SCHEMA:
            found[model.kind] = model
    return [found[kind] for kind in sorted(found)]


def proposal(model: TrainedModel, bars: OHLCV, wanted: float) -> StrategySignal | None:
    """None where the market does not move, or a stop or target would be at or below zero."""
    close, reach = float(bars.close[-1]), float(atr(bars.high, bars.low, bars.close, ATR_PERIOD)[-1])
    stop, target = close - wanted * STOP_RANGES * reach, close + wanted * TARGET_RANGES * reach
    if not (np.isfinite(reach) and reach > 0 and min(stop, target) > 0):
        return None
    direction = Direction.LONG if wanted > 0 else Direction.SHORT
    wins = model.metrics.get("out_of_sample", {}).get("win_rate") or 0.0
    return StrategySignal(
        strategy=f"policy_{model.kind}",
        direction=direction,
        confidence=min(max(float(wins), 0.0), 1.0),
        entry_price=close,
        stop_loss=stop,
        take_profit=target,
        reasons=(
            f"The {model.kind.upper()} policy of {model.trained_at:%Y-%m-%d} takes a {direction.value} position",
            f"It has not earned a vote: {model.reason or 'its gates are not passed'}"[:300],
        ),
    )

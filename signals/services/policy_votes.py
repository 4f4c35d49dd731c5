"""What trained policies say of an instrument at a close, and which of them is heard."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Q

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.cost_rates import MarketType
from signals.engine.direction import Direction
from signals.engine.moment import milliseconds
from signals.engine.policy import Policy, load
from signals.engine.policy_features import SCHEMA, Journal, judged, policy_features
from signals.engine.standing import standing
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.engine.trading_env import observations_by_position, walk
from signals.market.models import Instrument
from signals.models import PolicyChoice, SignalOutcome, TrainedModel
from signals.services.moods import moods_at_closes
from signals.services.trained_models import changes_of_champions, verified_payload
from signals.services.votes import Heard

KINDS = ("ppo", "dqn")
VOTE = "rl"


def hear_policies(*, instrument: Instrument, windows: Mapping[Timeframe, OHLCV], as_of: datetime) -> Heard:
    """The position that each champion would hold now, and the chosen one's positions as a vote of its weight."""
    found = policies_for(instrument=instrument, as_of=as_of)
    if not found:
        return Heard()
    try:
        bars, features = inputs(instrument, windows, as_of)
    except ValueError:
        return Heard(features={"policies": "too few candles"})
    positions = {kind: held_by(loaded(model), bars, features, instrument)[1] for kind, model in found.items()}
    said: dict[str, Any] = {f"policy_{kind}": float(each[-1]) for kind, each in positions.items()}
    choice = PolicyChoice.objects.newest(
        instrument_id=instrument.pk, timeframe=BASE_TIMEFRAME.value, as_of=as_of
    )
    if choice is None or choice.kind not in positions or choice.is_too_old(as_of):
        return Heard(features=said)
    said |= {"policy_chosen": choice.kind, "policy_weight": choice.weight}
    if not settings.POLICY_VOTES or choice.weight <= 0:
        return Heard(features=said)
    return Heard({VOTE: positions[choice.kind] * choice.weight}, said)


def policies_for(*, instrument: Instrument, as_of: datetime) -> dict[str, TrainedModel]:
    """By kind the champion at `as_of` of this instrument alone, else the one of all; none whose inputs have changed."""
    scopes = (scope_of(instrument), "")
    return standing(
        ("policies", scopes),
        as_of,
        changes=lambda: changes_of_champions(kinds=KINDS, scopes=scopes),
        ask=lambda: _policies_at(scopes, as_of),
    )


def _policies_at(scopes: Sequence[str], as_of: datetime) -> dict[str, TrainedModel]:
    known = TrainedModel.objects.filter(kind__in=KINDS, scope__in=scopes, promoted_at__lte=as_of).known_at(
        as_of
    )
    current = known.filter(Q(retired_at=None) | Q(retired_at__gt=as_of)).defer("payload")
    found: dict[str, TrainedModel] = {}
    for model in current.order_by("scope", "promoted_at", "pk"):  # what comes later wins: its own, the newest
        if model.feature_schema == SCHEMA:
            found[model.kind] = model
    return dict(sorted(found.items()))


def inputs(
    instrument: Instrument, windows: Mapping[Timeframe, OHLCV], as_of: datetime
) -> tuple[OHLCV, FloatArray]:
    """With the sentiment that each close knew and the journal of `as_of`. ValueError for too few candles."""
    base = windows[BASE_TIMEFRAME]
    mood = moods_at_closes(instrument_id=instrument.pk, closes=base.open_time + BASE_TIMEFRAME.milliseconds)
    journal = journal_of(instrument_id=instrument.pk, as_of=as_of)
    return judged(base, policy_features(windows, mood, journal))


def held_by(
    policy: Policy, bars: OHLCV, features: FloatArray, instrument: Instrument
) -> tuple[FloatArray, FloatArray]:
    """Simple net returns of each bar but the first, and the position wanted after each close, the last one included."""
    table = policy.act(observations_by_position(features)).reshape(-1, 3)
    if not may_be_short(instrument):
        table = np.where(table == 2, 0, table)
    gained, held = walk(bars, table, instrument.cost_rates())
    place = {0: 0, 1: 1, -1: 2}[int(held[-1])]
    newest = (0, 1, -1)[int(table[-1, place])]
    return np.expm1(gained), np.append(held, newest).astype(np.float64)


def loaded(model: TrainedModel) -> Policy:
    """Read and checked once in a process."""
    if model.sha256 not in _LOADED:
        _LOADED[model.sha256] = load(verified_payload(model))
    return _LOADED[model.sha256]


_LOADED: dict[str, Policy] = {}


def journal_of(*, instrument_id: int, as_of: datetime) -> Journal | None:
    """Results of this instrument's signals that were on record at `as_of`; None without any."""
    known = SignalOutcome.objects.filter(signal__instrument_id=instrument_id).filter(
        Q(exited_at__lte=as_of - timedelta(seconds=BASE_TIMEFRAME.seconds))
    )
    rows = list(known.order_by("exited_at").values_list("exited_at", "signal__direction", "r_multiple"))
    if not rows:
        return None
    return Journal(
        # The bar in which it ended is known at its close.
        np.array([milliseconds(exited) + BASE_TIMEFRAME.milliseconds for exited, _, _ in rows]),
        np.array([1.0 if side == Direction.LONG else -1.0 for _, side, _ in rows]),
        np.array([result for _, _, result in rows]),
    )


def scope_of(instrument: Instrument) -> str:
    return f"{instrument.exchange.code}:{instrument.symbol}:{BASE_TIMEFRAME}"


def may_be_short(instrument: Instrument) -> bool:
    return MarketType(instrument.market_type) is not MarketType.SPOT

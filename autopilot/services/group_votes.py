"""The champion's vote in the fused decision, `votes["ml"]`: no model, no vote."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from django.conf import settings

from autopilot.engine.group_vote import group_vote
from autopilot.services.champion import loaded_champion
from signals.engine.candle import OHLCV
from signals.engine.features import market_features
from signals.engine.hybrid import opinions
from signals.engine.strategy import DecisionContext, WindowError
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.market.models import Instrument
from signals.services.votes import Heard

VOTE = "ml"


def hear_selector(*, instrument: Instrument, windows: Mapping[Timeframe, OHLCV], as_of: datetime) -> Heard:
    """What the champion of `as_of` says at each base bar, by the weight that its training measured.

    A champion without weight, or with the switch off, is kept as a shadow.
    """
    champion = loaded_champion(as_of=as_of)
    model, row, window = champion.model, champion.row, windows[BASE_TIMEFRAME]
    if model is None or row is None or model.timeframe not in {"", BASE_TIMEFRAME.value}:
        return Heard()
    if len(window) == 0 or not (window.low > 0).all():
        return Heard()
    try:
        series = opinions(window, DecisionContext(as_of=as_of, memo={}))
    except WindowError:
        return Heard()
    told = np.asarray(model.booster.predict(market_features(window), num_threads=1))
    vote = group_vote(told, series)
    said = {
        "selector_model": row.pk,
        "selector_vote": round(float(vote[-1]), 6),
        "selector_weight": model.vote_weight,
    }
    if not settings.SELECTOR_VOTES or model.vote_weight <= 0:
        return Heard(features=said)
    return Heard({VOTE: vote * model.vote_weight}, said)

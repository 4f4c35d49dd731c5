"""The trend rule live: one evaluation at each 4h close of a crypto instrument, one position at a time."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.decided import Outcome
from signals.engine.direction import Direction
from signals.engine.hybrid import Decision
from signals.engine.moment import milliseconds
from signals.engine.outcome import follow_plans
from signals.engine.session import AssetClass
from signals.engine.strategy import WindowError
from signals.engine.timeframe import Timeframe
from signals.engine.trend import ENTRY_BARS, STRATEGY, TIMEFRAME, decide
from signals.engine.trend_reasons import VETOES, as_features, in_words, reasons_of, veto_of
from signals.market.models import Instrument
from signals.models import ShadowOutcome, Signal, SignalSource

PERIOD = timedelta(seconds=TIMEFRAME.seconds)
VALID_FOR = ENTRY_BARS * PERIOD


def closes_at(moment: datetime) -> bool:
    """Whether a bar of the rule closes at this close of a base bar."""
    return milliseconds(moment) % TIMEFRAME.milliseconds == 0


def decide_trend(
    *, instrument: Instrument, windows: Mapping[Timeframe, OHLCV], heard: Decision, as_of: datetime
) -> Decision:
    """The rule on the 4h window that ends at `as_of`. heard: what else was said, with its features.

    Those are its reasons; of them only what was measured to help may end it (`trend_reasons.VETOES`).
    """
    window = windows[TIMEFRAME]
    if instrument.asset_class != AssetClass.CRYPTO:
        return Decision(
            Outcome.NONE, f"the trend rule is registered for crypto, not {instrument.asset_class}"
        )
    try:
        signal = decide(window)
    except WindowError as error:
        return Decision(Outcome.REFUSED, str(error))
    if signal is None:
        return Decision(Outcome.NONE, "the 4h close is not the highest of the look-back")
    since = held_since(instrument=instrument, window=window, as_of=as_of)
    if since:
        return Decision(Outcome.NONE, f"a position of the rule has been open since {since:%Y-%m-%d %H:%M}Z")
    reasons = reasons_of(heard)
    features = {**heard.features, **as_features(reasons)}
    signal = replace(signal, reasons=(*signal.reasons, *in_words(reasons)))
    told = "; ".join(signal.reasons)
    if veto := veto_of(reasons):
        return Decision(
            Outcome.REFUSED, f"{veto.name} ends it ({VETOES[veto.name]}); {told}", features=features
        )
    return Decision(Outcome.SIGNAL, told, signal, features=features)


def held_since(*, instrument: Instrument, window: OHLCV, as_of: datetime) -> datetime | None:
    """The close at which the open position of the rule was decided, published or not; None without one.

    An end that is on the candles but not in a row yet counts: the close that ends a trade may begin the next.
    """
    columns = {
        "instrument": instrument,
        "timeframe": TIMEFRAME.value,
        "source": SignalSource.HYBRID.value,
        "strategy": STRATEGY,
        "candle_open_time__lt": as_of - PERIOD,
    }
    signals = Signal.objects.filter(**columns, variant="", outcome=None)
    shadows = ShadowOutcome.objects.filter(**columns, recorded_at=None)
    newest: list[Signal | ShadowOutcome] = [
        *signals.order_by("-candle_open_time")[:1],
        *shadows.order_by("-candle_open_time")[:1],
    ]
    for row in newest:
        if row.exit_plan.is_managed and not _has_ended(row, window):
            return row.candle_open_time + PERIOD
    return None


def _has_ended(row: Signal | ShadowOutcome, window: OHLCV) -> bool:
    """Also where it was decided before the window begins: no position lasts so long."""
    at = int(np.searchsorted(window.open_time, milliseconds(row.candle_open_time)))
    if at == 0 or at >= len(window):
        return at == 0
    outcome = follow_plans(
        window,
        rows=[at],
        directions=[Direction(row.direction).sign],
        entry_prices=[row.entry_price],
        plans=[row.exit_plan],
    )
    return bool(outcome.ended[0])

"""From a closed candle to an Evaluation row, exactly one, with the signal or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from signals.engine.candle import OHLCV
from signals.engine.hybrid import BASE_TIMEFRAME, TIMEFRAME_WEIGHTS, Decision, Outcome, explain
from signals.engine.patterns.multi_timeframe import pattern_scores
from signals.engine.session import CalendarMissingError, is_tradable
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.selectors import load_window, newest_open_time
from signals.models import Evaluation, SignalSource
from signals.services.anomalies import score_anomaly
from signals.services.pairing import chosen_partner
from signals.services.publishing import publish
from signals.services.volatility import forecast_volatility

logger = structlog.get_logger(__name__)

WINDOW_BARS = 500
PATIENCE = timedelta(minutes=5)
PATIENCE_FOR_PARTNER = timedelta(minutes=1)  # one of fourteen voices: the others do not wait longer for it
BASE_PERIOD = timedelta(seconds=BASE_TIMEFRAME.seconds)


def evaluate(*, instrument: Instrument, candle_open_time: datetime, as_of: datetime) -> Evaluation | None:
    """Decide on the base candle that opened at `candle_open_time`, looking at nothing after its close.

    `as_of` is the exchange's time now. A candle found later than one period after its close is judged all
    the same, but never published. None means that the longer candles which closed with it, or the partner's,
    have not arrived yet: the partner's wakes it, else the sweeper asks again. After a minute it is judged
    without a partner; after five the missing candle is the recorded reason.
    """
    key = {
        "instrument": instrument,
        "timeframe": BASE_TIMEFRAME.value,
        "candle_open_time": candle_open_time,
        "source": SignalSource.HYBRID.value,
        "variant": "",
    }
    standing = Evaluation.objects.filter(**key).first()
    if standing:
        return standing
    closed_at = candle_open_time + BASE_PERIOD
    try:
        decision = judge(
            instrument=instrument,
            as_of=closed_at,
            wait_for_partner=as_of - closed_at < PATIENCE_FOR_PARTNER,
        )
    except CandleMissingError as error:
        if as_of - closed_at < PATIENCE:
            return None
        decision = Decision(Outcome.REFUSED, str(error))
    if decision.signal and as_of - closed_at >= BASE_PERIOD:
        decision = too_late(decision, closed_at, as_of)
    return record(key=key, decision=decision, as_of=as_of)


class CandleMissingError(Exception):
    """A candle that must have closed by now is not stored; the message names it."""


def judge(*, instrument: Instrument, as_of: datetime, wait_for_partner: bool = False) -> Decision:
    """The decision at `as_of`, a close of the base timeframe, from what was stored and known by then.

    A signal that nobody could enter, because the market is closed at `as_of`, is refused; and one whose stop
    is too near for the instrument's costs or its tick.
    Raises CandleMissingError when the newest candle of a timeframe, or the partner's with `wait_for_partner`,
    has not arrived.
    """
    partner = chosen_partner(instrument=instrument, as_of=as_of)
    if partner and wait_for_partner and not _has_newest(partner, as_of):
        raise CandleMissingError(
            f"{BASE_TIMEFRAME}: the newest candle of the partner {partner} has not arrived"
        )
    windows = load_windows(instrument_id=instrument.pk, as_of=as_of)
    missing = missing_candle(windows, as_of)
    if missing:
        raise CandleMissingError(missing)
    expected = forecast_volatility(instrument_id=instrument.pk, window=windows[BASE_TIMEFRAME], as_of=as_of)
    unusual = score_anomaly(instrument_id=instrument.pk, window=windows[BASE_TIMEFRAME], as_of=as_of)
    context = DecisionContext(
        as_of=as_of,
        volatility=expected.deviation,
        anomaly=unusual.score,
        partner=_base_window(partner.pk, as_of) if partner else None,
        round_trip_cost=instrument.cost_rates().round_trip,
        tick=float(instrument.tick_size) if instrument.tick_size else None,
    )
    decision = explain(windows, context)
    closed = closed_market(instrument, as_of) if decision.signal else None
    if closed:
        decision = refused(decision, closed)
    features = expected.features() | unusual.features() | ({"partner": partner.symbol} if partner else {})
    if decision.scores:  # the windows could be judged
        features |= {f"pattern_{name}": float(each[-1]) for name, each in pattern_scores(windows).items()}
    return replace(decision, features=features)


def _has_newest(instrument: Instrument, as_of: datetime) -> bool:
    newest = newest_open_time(instrument_id=instrument.pk, timeframe=BASE_TIMEFRAME)
    return newest is not None and newest >= as_of - BASE_PERIOD


def _base_window(instrument_id: int, as_of: datetime) -> OHLCV:
    return load_window(instrument_id=instrument_id, timeframe=BASE_TIMEFRAME, bars=WINDOW_BARS, as_of=as_of)


def closed_market(instrument: Instrument, moment: datetime) -> str | None:
    """Why nobody can trade the instrument at `moment`; None when its market is open."""
    try:
        tradable = is_tradable(instrument, moment)
    except CalendarMissingError as error:
        return str(error)
    return None if tradable else f"the {instrument.asset_class} market is closed at {moment:%Y-%m-%d %H:%M}Z"


def load_windows(*, instrument_id: int, as_of: datetime) -> dict[Timeframe, OHLCV]:
    """The decision's windows: the newest bars of each timeframe that had closed at `as_of`."""
    return {
        timeframe: load_window(
            instrument_id=instrument_id, timeframe=timeframe, bars=WINDOW_BARS, as_of=as_of
        )
        for timeframe in TIMEFRAME_WEIGHTS
    }


def missing_candle(windows: Mapping[Timeframe, OHLCV], as_of: datetime) -> str | None:
    """Which timeframe lacks the bar that must have closed last at `as_of`, in words."""
    moment = int(as_of.timestamp() * 1000)
    for timeframe, window in windows.items():
        expected = timeframe.floor(moment) - timeframe.milliseconds
        if len(window) == 0 or window.open_time[-1] != expected:
            expected_at = as_of + timedelta(milliseconds=expected - moment)
            return f"{timeframe}: the candle of {expected_at:%Y-%m-%d %H:%M}Z has not arrived"
    return None


def too_late(decision: Decision, closed_at: datetime, as_of: datetime) -> Decision:
    found = f"found at {as_of:%Y-%m-%d %H:%M}Z, too late for a candle that closed at {closed_at:%H:%M}Z"
    return refused(decision, found)


def refused(decision: Decision, why: str) -> Decision:
    """The same findings without their signal."""
    return replace(decision, outcome=Outcome.REFUSED, reason=f"{why}; {decision.reason}", signal=None)


def record(*, key: dict[str, Any], decision: Decision, as_of: datetime) -> Evaluation:
    """Write the evaluation and what it publishes; whoever comes second gets the first one's row."""
    with transaction.atomic():
        signal = None
        if decision.signal:
            signal = publish(
                instrument=key["instrument"],
                decision=decision.signal,
                timeframe=BASE_TIMEFRAME,
                candle_open_time=key["candle_open_time"],
                source=SignalSource.HYBRID,
            )
        evaluation, created = Evaluation.objects.get_or_create(
            **key,
            defaults={
                "outcome": decision.outcome.value,
                "reason": decision.reason,
                "score": decision.score if decision.votes else None,
                "signal": signal,
                "as_of": as_of,
                "evaluated_at": timezone.now(),
                "features": dict(decision.features),
            },
        )
    if created:
        logger.info("evaluated", what=str(evaluation), reason=evaluation.reason)
    return evaluation

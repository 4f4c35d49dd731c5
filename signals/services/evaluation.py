"""From a closed candle to an Evaluation row, exactly one, with the signal or the reason why there is none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from signals.engine.candle import OHLCV
from signals.engine.hybrid import (
    BASE_TIMEFRAME,
    DEFAULTS,
    TIMEFRAME_WEIGHTS,
    Decision,
    Heard,
    HybridSettings,
    Outcome,
    explain,
)
from signals.engine.moment import milliseconds
from signals.engine.patterns.multi_timeframe import pattern_scores
from signals.engine.session import CalendarMissingError, is_tradable
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import WINDOW_BARS, Timeframe
from signals.market.models import Instrument
from signals.market.selectors import load_window, newest_open_time
from signals.models import Evaluation, ExperimentArm
from signals.services import trend
from signals.services.anomalies import score_anomaly
from signals.services.arms import arm_of_block, running_arms
from signals.services.calibrating import calibrate
from signals.services.candle_key import CandleKey
from signals.services.experiments import settings_of
from signals.services.gate import pass_gate
from signals.services.moods import known_mood
from signals.services.pairing import chosen_partner
from signals.services.policy_experiments import try_out_policies, unproven_policies
from signals.services.policy_votes import hear_policies
from signals.services.publishing import publish
from signals.services.shadows import keep_shadow
from signals.services.volatility import forecast_volatility
from signals.services.votes import other_votes

logger = structlog.get_logger(__name__)

PATIENCE = timedelta(minutes=5)
PATIENCE_FOR_PARTNER = timedelta(minutes=1)  # one of fourteen voices: the others do not wait longer for it
BASE_PERIOD = timedelta(seconds=BASE_TIMEFRAME.seconds)


def evaluate(*, instrument: Instrument, candle_open_time: datetime, as_of: datetime) -> Evaluation | None:
    """Decide on the base candle that opened at `candle_open_time`, looking at nothing after its close.

    `as_of` is the exchange's time now. A candle found later than one period after its close is judged all
    the same, but never published. None means that the longer candles which closed with it, or the partner's,
    have not arrived yet: the partner's wakes it, else the sweeper asks again. After a minute it is judged
    without a partner; after five the missing candle is the recorded reason. While an experiment runs, each of its
    arms decides once; what is returned is the control's.
    """
    key = CandleKey(instrument, candle_open_time)
    standing = Evaluation.objects.filter(**key.columns()).first()
    if standing:
        return standing
    closed_at = candle_open_time + BASE_PERIOD
    known, missing = None, ""
    try:
        known = gather(
            instrument=instrument,
            as_of=closed_at,
            wait_for_partner=as_of - closed_at < PATIENCE_FOR_PARTNER,
        )
    except CandleMissingError as error:
        if as_of - closed_at < PATIENCE:
            return None
        missing = str(error)

    def decided(settings: HybridSettings) -> Decision:
        if known is None:
            return Decision(Outcome.REFUSED, missing)
        decision = with_patterns(decide_on(known, settings), known.windows)
        is_late = decision.signal is not None and as_of - closed_at >= BASE_PERIOD
        return too_late(decision, closed_at, as_of) if is_late else decision

    arms = running_arms(closed_at=closed_at)
    for arm in arms[1:]:  # before the control, whose evaluation says that the candle is done
        record(
            key=replace(key, variant=arm.variant),
            decision=_of_arm(arm, arms, decided, closed_at),
            as_of=as_of,
        )
    decision = _of_arm(arms[0], arms, decided, closed_at) if arms else decided(DEFAULTS)
    return record(key=key, decision=decision, as_of=as_of)


def _of_arm(
    arm: ExperimentArm,
    arms: Sequence[ExperimentArm],
    decided: Callable[[HybridSettings], Decision],
    closed_at: datetime,
) -> Decision:
    """What the arm's settings decide. Of settings that cannot be read nothing; the control falls back to live ones."""
    try:
        settings = settings_of(arm)
    except ValueError as error:
        logger.exception("settings of an arm cannot be read", arm=str(arm))
        if arm.variant:
            return Decision(Outcome.REFUSED, str(error))
        settings = DEFAULTS
    decision = decided(settings)
    turn = arm_of_block(arms, closed_at=closed_at)
    if decision.signal and turn and turn.pk != arm.pk:
        return refused(decision, f"this block of signal time belongs to the arm “{turn.name}”")
    return decision


class CandleMissingError(Exception):
    """A candle that must have closed by now is not stored; the message names it."""


@dataclass(slots=True)
class Recent:
    """What one close of an instrument has in common with the next: who walks over stored candles keeps it."""

    windows: dict[Timeframe, OHLCV] = field(default_factory=dict)
    heard: Heard = field(default_factory=dict)


def judge(
    *, instrument: Instrument, as_of: datetime, wait_for_partner: bool = False, recent: Recent | None = None
) -> Decision:
    """The decision at `as_of`, a close of the base timeframe, from what was stored and known by then.

    A signal that nobody could enter, because the market is closed at `as_of`, is refused; and one whose stop
    is too near for the instrument's costs or its tick.
    Raises CandleMissingError when the newest candle of a timeframe, or the partner's with `wait_for_partner`,
    has not arrived.
    """
    known = gather(
        instrument=instrument,
        as_of=as_of,
        wait_for_partner=wait_for_partner,
        recent=recent.windows if recent else None,
    )
    return decide_on(known, DEFAULTS, recent.heard if recent else None)


@dataclass(frozen=True, slots=True)
class Known:
    """What was stored and known at a close: the same for every way to decide on it."""

    instrument: Instrument
    windows: Mapping[Timeframe, OHLCV]
    context: DecisionContext
    features: Mapping[str, Any]


def gather(
    *,
    instrument: Instrument,
    as_of: datetime,
    wait_for_partner: bool,
    recent: dict[Timeframe, OHLCV] | None = None,
) -> Known:
    """Raises CandleMissingError as `judge` does."""
    partner = chosen_partner(instrument=instrument, as_of=as_of)
    if partner and wait_for_partner and not _has_newest(partner, as_of):
        raise CandleMissingError(
            f"{BASE_TIMEFRAME}: the newest candle of the partner {partner} has not arrived"
        )
    windows = load_windows(instrument_id=instrument.pk, as_of=as_of, recent=recent)
    missing = missing_candle(windows, as_of)
    if missing:
        raise CandleMissingError(missing)
    expected = forecast_volatility(instrument_id=instrument.pk, window=windows[BASE_TIMEFRAME], as_of=as_of)
    unusual = score_anomaly(instrument_id=instrument.pk, window=windows[BASE_TIMEFRAME], as_of=as_of)
    asked: dict[str, Any] = {"instrument": instrument, "windows": windows, "as_of": as_of}
    heard = hear_policies(**asked) | other_votes(**asked)
    mood = known_mood(instrument_id=instrument.pk, as_of=as_of)
    context = DecisionContext(
        as_of=as_of,
        votes=heard.votes,
        sentiment=mood.history,
        volatility=expected.deviation,
        anomaly=unusual.score,
        partner=_base_window(partner.pk, as_of) if partner else None,
        round_trip_cost=instrument.cost_rates().round_trip,
        tick=float(instrument.tick_size) if instrument.tick_size else None,
    )
    features = {**expected.features(), **unusual.features(), **heard.features, **mood.newest.features()}
    if partner:
        features["partner"] = partner.symbol
    return Known(instrument, windows, context, features)


def decide_on(known: Known, settings: HybridSettings, heard: Heard | None = None) -> Decision:
    decision = explain(known.windows, known.context, settings, heard)
    closed = closed_market(known.instrument, known.context.as_of) if decision.signal else None
    if closed:
        decision = refused(decision, closed)
    return replace(decision, features=with_regime(known.features, decision, BASE_TIMEFRAME))


def with_regime(features: Mapping[str, Any], decision: Decision, timeframe: Timeframe) -> dict[str, Any]:
    """What was known, and the regime of the decision's own timeframe where it is known."""
    regime = decision.regimes.get(timeframe)
    return {**features, "regime": regime.value} if regime else dict(features)


def evaluate_close(
    *, instrument: Instrument, candle_open_time: datetime, as_of: datetime
) -> Evaluation | None:
    """Everything that is decided when the base candle of `candle_open_time` closes: `evaluate`'s row.

    The trend rule decides first, for `evaluate`'s row says that the candle is done; policies without a vote come last.
    """
    closed_at = candle_open_time + BASE_PERIOD
    if trend.closes_at(closed_at):
        evaluate_trend(instrument=instrument, candle_open_time=closed_at - trend.PERIOD, as_of=as_of)
    evaluation = evaluate(instrument=instrument, candle_open_time=candle_open_time, as_of=as_of)
    if evaluation is not None and unproven_policies(instrument=instrument, as_of=closed_at):
        windows = load_windows(instrument_id=instrument.pk, as_of=closed_at)
        try_out_policies(
            instrument=instrument, windows=windows, candle_open_time=candle_open_time, as_of=as_of
        )
    return evaluation


def evaluate_trend(
    *, instrument: Instrument, candle_open_time: datetime, as_of: datetime
) -> Evaluation | None:
    """The trend rule at the close of the 4h candle of `candle_open_time`, once; None while candles are awaited.

    An order of it lapses with the bar that follows.
    """
    key = CandleKey(instrument, candle_open_time, trend.TIMEFRAME)
    closed_at = candle_open_time + trend.PERIOD
    if standing := Evaluation.objects.filter(**key.columns()).first():
        return standing
    try:
        known = gather(instrument=instrument, as_of=closed_at, wait_for_partner=False)
    except CandleMissingError as error:
        if as_of - closed_at < PATIENCE:
            return None
        return record(key=key, decision=Decision(Outcome.REFUSED, str(error)), as_of=as_of)
    decision = judge_trend(known)
    if decision.signal and as_of - closed_at >= BASE_PERIOD:
        decision = too_late(decision, closed_at, as_of)
    return record(key=key, decision=decision, as_of=as_of, valid_for=trend.VALID_FOR)


def judge_trend(known: Known) -> Decision:
    """What the rule says at `known`'s close; a stop that is too near for tick or costs is the gate's to refuse."""
    moment = known.context.as_of
    heard = replace(explain(known.windows, known.context, DEFAULTS), features=dict(known.features))
    decision = trend.decide_trend(
        instrument=known.instrument, windows=known.windows, heard=heard, as_of=moment
    )
    if decision.signal:
        features = with_regime(decision.features, heard, trend.TIMEFRAME)
        decision = replace(decision, features=features)
    closed = closed_market(known.instrument, moment) if decision.signal else None
    return refused(decision, closed) if closed else decision


def with_patterns(decision: Decision, windows: Mapping[Timeframe, OHLCV]) -> Decision:
    """Beside what decided, the patterns that an evaluation keeps for later models; none where nothing was judged."""
    if not decision.scores:
        return decision
    scores = {f"pattern_{name}": float(each[-1]) for name, each in pattern_scores(windows).items()}
    return replace(decision, features={**decision.features, **scores})


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


def load_windows(
    *, instrument_id: int, as_of: datetime, recent: dict[Timeframe, OHLCV] | None = None
) -> dict[Timeframe, OHLCV]:
    """The decision's windows: the newest bars of each timeframe that had closed at `as_of`.

    recent: windows of a close before, kept where no bar has closed since, and brought up to date.
    """
    windows = {} if recent is None else recent
    for timeframe in TIMEFRAME_WEIGHTS:
        window = windows.get(timeframe)
        newest = timeframe.floor(milliseconds(as_of)) - timeframe.milliseconds
        if window is None or not len(window) or window.open_time[-1] != newest:
            windows[timeframe] = load_window(
                instrument_id=instrument_id, timeframe=timeframe, bars=WINDOW_BARS, as_of=as_of
            )
    return dict(windows)


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


def abstained(decision: Decision, why: str) -> Decision:
    """The same findings, kept back by the gate."""
    return replace(decision, outcome=Outcome.ABSTAINED, reason=f"{why}; {decision.reason}")


def record(
    *, key: CandleKey, decision: Decision, as_of: datetime, valid_for: timedelta | None = None
) -> Evaluation:
    """Write the evaluation and what it publishes; whoever comes second gets the first one's row.

    What the gate keeps back is written too, and followed as a shadow.
    """
    passage, probability = None, None
    if signal_decided := decision.signal:
        closed_at = key.candle_open_time + timedelta(seconds=key.timeframe.seconds)
        passage = pass_gate(
            instrument=key.instrument, signal=decision.signal, source=key.source, as_of=closed_at
        )
        decision = decision if passage.publishes else abstained(decision, passage.evidence)
        calibrated = calibrate(
            source=key.source.value,
            timeframe=key.timeframe.value,
            plan=signal_decided.exit_plan.kind,
            confidence=signal_decided.confidence,
            as_of=closed_at,
        )
        probability = calibrated.probability
        decision = replace(decision, features={**decision.features, "calibration": calibrated.why})
    with transaction.atomic():
        signal = None
        if decision.signal and passage and passage.publishes:
            signal = publish(
                decision=decision.signal,
                **key.columns(),
                valid_for=valid_for,
                standing=passage.standing.value,
                evidence=passage.evidence,
                probability=probability,
            )
        evaluation, created = Evaluation.objects.get_or_create(
            **key.columns(),
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
        if created and decision.signal and decision.outcome is Outcome.ABSTAINED:
            keep_shadow(evaluation=evaluation, signal=decision.signal)
    if created:
        logger.info("evaluated", what=str(evaluation), reason=evaluation.reason)
    return evaluation

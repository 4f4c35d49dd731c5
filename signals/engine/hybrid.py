"""The fused decision: three timeframes, every strategy, one signal or a reason why there is none.

How the blend works. Each strategy is read over each timeframe's window; its newest event within the
last MEMORY_BARS bars is its vote: signed confidence, halved every HALF_LIFE_BARS bars, so that a daily
turn is still heard while the hours that follow decide when to act. An event that happened in a regime
for which its strategy's group is not made (SUITED, after the seed documents' table) counts OUT_OF_PLACE
of itself; where the regime is not known, nothing is held against it. A timeframe's score is the mean of
its votes; who was silent is not counted, because no opinion is not a neutral one. The blended score is
the weighted sum over the timeframes (design: 1h .20, 4h .30, 1d .50), a silent timeframe adding
nothing. A signal is published when two things hold: |score| reaches MINIMUM_SCORE, and something has
just changed its way, that is, an event in its direction stands on a bar that closed with this base bar.
Nothing is remembered between calls, so a replay and a restart decide the same.

`confirmed` and `consensus` read votes: they are asked last and given, bar by bar, what the others' votes
stood at. Votes, sentiment and partner in the context speak of base bars; on longer bars they are absent.
A strategy without its input, or with too short a window, abstains and the decision says so.

A base bar that the isolation forest finds unusual puts a caution beside the reasons and changes nothing else.

Confidence is 1 - exp(-|score| / SCORE_SCALE): uncalibrated, a ranking rather than a probability.
The volatility forecast draws the levels and never enters the blend; feedback weights enter neither.

The stop stands STOP_DEVIATIONS deviations of the forecast until the signal expires from the entry, the
target TARGET_PER_STOP times as far. The range of a Gaussian walk is sqrt(8 / pi) = 1.596 deviations on average
(Feller 1951) and four bars deviate twice as far as one: where volatility stays what it was, this stop
is the one of STOP_ATR average true ranges that is taken without a forecast. However wild the forecast, the
stop stays within a factor of LEVEL_BOUND of that one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import exp, isfinite
from types import MappingProxyType

import numpy as np
from numba import njit

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.indicators.volatility import atr
from signals.engine.patterns.anomaly import is_unusual
from signals.engine.regime import REGIMES, UNKNOWN, Regime, regimes
from signals.engine.strategies import LISTENERS, STRATEGIES
from signals.engine.strategy import (
    DecisionContext,
    Direction,
    DirectionArray,
    StrategyGroup,
    StrategySeries,
    StrategySignal,
    WindowError,
    abstain,
)
from signals.engine.timeframe import TIMEFRAME_WEIGHTS, Timeframe

BASE_TIMEFRAME = Timeframe.H1
MEMORY_BARS = 6
HALF_LIFE_BARS = 3.0
DECAY = 0.5 ** (np.arange(MEMORY_BARS) / HALF_LIFE_BARS)
MINIMUM_SCORE = 0.15
SCORE_SCALE = 0.24
OUT_OF_PLACE = 0.5
OLDEST_PERIODS = 2
VALIDITY_BARS = 4
ATR_PERIOD = 14
STOP_ATR = 2.0
STOP_DEVIATIONS = 1.6
TARGET_PER_STOP = 1.5
LEVEL_BOUND = 2.0
REASONS_SHOWN = 3

TRENDING = frozenset((Regime.TRENDING_UP, Regime.TRENDING_DOWN))
CALM = frozenset((Regime.RANGING, Regime.QUIET))
SUITED: Mapping[StrategyGroup, frozenset[Regime]] = MappingProxyType(
    {
        StrategyGroup.TREND_FOLLOWING: TRENDING | {Regime.BREAKOUT},
        StrategyGroup.MEAN_REVERSION: CALM,
        StrategyGroup.MOMENTUM: TRENDING | {Regime.BREAKOUT, Regime.VOLATILE},
        StrategyGroup.MARKET_MAKING: CALM,
        StrategyGroup.SENTIMENT_BASED: frozenset(Regime),
    }
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Outcome(StrEnum):
    SIGNAL = "signal"
    NONE = "none"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Vote:
    """A strategy's newest event on one timeframe; `confidence` is signed, decayed by age and by its regime."""

    strategy: str
    timeframe: Timeframe
    confidence: float
    age: int
    reason: str
    fresh: bool

    @property
    def contribution(self) -> float:
        """Weight in the direction of the vote, before the timeframe's mean is taken."""
        return TIMEFRAME_WEIGHTS[self.timeframe] * self.confidence


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and why: a signal, none, or a refusal to decide on these windows.

    regimes: of each timeframe's last bar, where it is known. abstentions: who could not judge, and why.
    features: what else was known, by name; who asked adds them, and they are kept for later models.
    """

    outcome: Outcome
    reason: str
    signal: StrategySignal | None = None
    score: float = 0.0
    scores: Mapping[Timeframe, float] = field(default_factory=dict)
    votes: tuple[Vote, ...] = ()
    regimes: Mapping[Timeframe, Regime] = field(default_factory=dict)
    abstentions: tuple[str, ...] = ()
    features: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Hearing:
    """What was heard on one timeframe."""

    votes: tuple[Vote, ...]
    regime: Regime | None
    abstentions: tuple[str, ...]


def decide(windows: Mapping[Timeframe, OHLCV], context: DecisionContext) -> StrategySignal | None:
    """The signal to publish at `context.as_of`, or None; `explain` tells why."""
    return explain(windows, context).signal


def explain(windows: Mapping[Timeframe, OHLCV], context: DecisionContext) -> Decision:
    """Decide on one window of closed bars per timeframe; never raises for what the market's data may hold."""
    refusal = _refusal(windows, context.as_of)
    if refusal:
        return Decision(Outcome.REFUSED, refusal)
    try:
        hearings = {
            timeframe: _hear(
                timeframe, windows[timeframe], context, int(windows[BASE_TIMEFRAME].open_time[-1])
            )
            for timeframe in TIMEFRAME_WEIGHTS
        }
    except WindowError as error:
        return Decision(Outcome.REFUSED, str(error))
    votes = tuple(vote for heard in hearings.values() for vote in heard.votes)
    scores = {timeframe: _mean(heard.votes) for timeframe, heard in hearings.items()}
    score = sum(weight * scores[timeframe] for timeframe, weight in TIMEFRAME_WEIGHTS.items())
    silent = Decision(
        Outcome.NONE,
        _silence(votes, score) or "",
        score=score,
        scores=scores,
        votes=votes,
        regimes={timeframe: heard.regime for timeframe, heard in hearings.items() if heard.regime},
        abstentions=tuple(reason for heard in hearings.values() for reason in heard.abstentions),
    )
    return silent if silent.reason else _propose(windows[BASE_TIMEFRAME], silent, context)


def opinions(window: OHLCV, context: DecisionContext) -> Mapping[str, StrategySeries]:
    """Every strategy's series on one window, indicators shared; LISTENERS hear the others' standing votes.

    A strategy that cannot judge this window abstains. WindowError, the first one's, when none can.
    """
    shared = context if context.memo is not None else replace(context, memo={})
    series = {name: _ask(name, window, shared) for name in STRATEGIES if name not in LISTENERS}
    if all(each.missing for each in series.values()):
        raise WindowError(next(iter(series.values())).missing)
    standing = {
        name: _standing(each.direction, each.confidence) for name, each in series.items() if not each.missing
    }
    informed = replace(shared, votes={**context.votes, **standing})
    return {name: series[name] if name in series else _ask(name, window, informed) for name in STRATEGIES}


def _refusal(windows: Mapping[Timeframe, OHLCV], as_of: datetime) -> str | None:
    now = (as_of - _EPOCH) // timedelta(milliseconds=1)
    for timeframe in TIMEFRAME_WEIGHTS:
        window = windows.get(timeframe)
        if window is None or len(window) == 0:
            return f"{timeframe}: no candles"
        closed_at = timeframe.close_time(int(window.open_time[-1]))
        if closed_at > now:
            return f"{timeframe}: the last bar closes at {_instant(closed_at)}, after {_instant(now)}"
        if now - closed_at > OLDEST_PERIODS * timeframe.milliseconds:
            return (
                f"{timeframe}: the last bar closed at {_instant(closed_at)}, too long before {_instant(now)}"
            )
        if len(window) > 1 and (window.open_time[1:] - window.open_time[:-1]).min() < timeframe.milliseconds:
            return f"{timeframe}: bars stand closer together than {timeframe}"
    return None


def _ask(name: str, window: OHLCV, context: DecisionContext) -> StrategySeries:
    try:
        return STRATEGIES[name].evaluate(window, context)
    except WindowError as error:
        return abstain(name, window, str(error))


@njit(cache=True)
def _standing(direction: DirectionArray, confidence: FloatArray) -> FloatArray:
    """At every row, what the strategy's vote stands at: its newest event, decayed as `_vote` does."""
    standing = np.zeros(len(direction))
    said, age = 0.0, MEMORY_BARS
    for row in range(len(direction)):
        age += 1
        if direction[row] != 0:
            said, age = direction[row] * confidence[row], 0
        if age < MEMORY_BARS:
            standing[row] = said * DECAY[age]
    return standing


def _hear(timeframe: Timeframe, window: OHLCV, context: DecisionContext, newest_bar_opened: int) -> _Hearing:
    if timeframe is not BASE_TIMEFRAME:
        context = replace(context, votes={}, sentiment=None, partner=None)
    context = replace(context, memo={})
    try:
        series = opinions(window, context)
    except WindowError as error:
        raise WindowError(f"{timeframe}: {error}") from error
    places = regimes(window, context)[-MEMORY_BARS:].tolist()
    kinds = [None if place == UNKNOWN else REGIMES[place] for place in places]
    votes = (_vote(each, timeframe, window, kinds, newest_bar_opened) for each in series.values())
    return _Hearing(
        votes=tuple(vote for vote in votes if vote),
        regime=kinds[-1],
        abstentions=tuple(
            f"{timeframe}: {name}: {each.missing}" for name, each in series.items() if each.missing
        ),
    )


def _vote(
    series: StrategySeries,
    timeframe: Timeframe,
    window: OHLCV,
    kinds: Sequence[Regime | None],
    newest_bar_opened: int,
) -> Vote | None:
    """`kinds`: regimes of the window's last MEMORY_BARS bars."""
    events = series.direction[-MEMORY_BARS:].nonzero()[0]
    if len(events) == 0:
        return None
    row = len(series) - len(kinds) + int(events[-1])
    age = len(series) - 1 - row
    kind = kinds[events[-1]]
    suited = kind is None or kind in SUITED[STRATEGIES[series.strategy].group]
    loudness = float(series.confidence[row]) * (1 if suited else OUT_OF_PLACE)
    return Vote(
        strategy=series.strategy,
        timeframe=timeframe,
        confidence=int(series.direction[row]) * loudness * float(DECAY[age]),
        age=age,
        reason=_dated(timeframe, age, series.reason(row)),
        fresh=timeframe.close_time(int(window.open_time[row])) > newest_bar_opened,
    )


def _mean(votes: tuple[Vote, ...]) -> float:
    return sum(vote.confidence for vote in votes) / len(votes) if votes else 0.0


def _silence(votes: tuple[Vote, ...], score: float) -> str | None:
    if not votes:
        return f"no strategy has spoken within the last {MEMORY_BARS} bars of any timeframe"
    if abs(score) < MINIMUM_SCORE:
        return f"blended score {score:+.2f} is within {MINIMUM_SCORE:.2f} of zero"
    if not any(vote.fresh and vote.confidence * score > 0 for vote in votes):
        return f"blended score {score:+.2f}, but nothing new has happened in its direction"
    return None


def _propose(base: OHLCV, decided: Decision, context: DecisionContext) -> Decision:
    score, votes = decided.score, decided.votes
    direction = Direction.LONG if score > 0 else Direction.SHORT
    entry = float(base.close[-1])
    risk, drawn_by = _risk(base, context.volatility)
    stop, target = entry - direction.sign * risk, entry + direction.sign * TARGET_PER_STOP * risk
    if risk == 0 or min(stop, target) <= 0:
        reason = (
            f"stop and target cannot be drawn {risk:.6g} and {TARGET_PER_STOP:g} times that from {entry:.6g}"
        )
        return replace(decided, reason=f"{reason}; {drawn_by}")
    supporting = sorted(
        (vote for vote in votes if vote.confidence * score > 0),
        key=lambda vote: abs(vote.contribution),
        reverse=True,
    )
    cautions = _cautions(context.anomaly)
    shown = _shown(supporting, REASONS_SHOWN - len(cautions))
    signal = StrategySignal(
        strategy=supporting[0].strategy,
        direction=direction,
        confidence=1 - exp(-abs(score) / SCORE_SCALE),
        entry_price=entry,
        stop_loss=stop,
        take_profit=target,
        reasons=(*(vote.reason for vote in shown), *cautions),
    )
    reason = "; ".join((f"blended score {score:+.2f}: {signal.reasons[0]}", drawn_by, *cautions))
    return replace(decided, outcome=Outcome.SIGNAL, reason=reason, signal=signal)


def _risk(base: OHLCV, volatility: float | None) -> tuple[float, str]:
    """The stop's distance from the entry, as a price, and in words where it comes from."""
    usual = STOP_ATR * float(atr(base.high, base.low, base.close, ATR_PERIOD)[-1])
    if volatility is None or not isfinite(volatility):
        return usual, f"stop at {STOP_ATR:g} ATR for want of a volatility forecast"
    wanted = STOP_DEVIATIONS * volatility * float(base.close[-1])
    risk = min(max(wanted, usual / LEVEL_BOUND), usual * LEVEL_BOUND)
    drawn_by = f"stop at {STOP_DEVIATIONS:g} deviations of a forecast {volatility:.2%}"
    if risk != wanted:
        drawn_by += f", held to {STOP_ATR / LEVEL_BOUND:g} to {STOP_ATR * LEVEL_BOUND:g} ATR"
    return risk, drawn_by


def _cautions(anomaly: float | None) -> tuple[str, ...]:
    if anomaly is None or not is_unusual(anomaly):
        return ()
    return (f"caution: the last {BASE_TIMEFRAME} bar is unlike those before it (anomaly {anomaly:.2f})",)


def _shown(supporting: list[Vote], count: int) -> list[Vote]:
    """The strongest votes, and in any case one that tells what has just happened."""
    shown = supporting[:count]
    if not any(vote.fresh for vote in shown):
        shown[-1] = next(vote for vote in supporting if vote.fresh)
    return shown


def _dated(timeframe: Timeframe, age: int, reason: str) -> str:
    when = {0: "", 1: ", 1 bar ago"}.get(age, f", {age} bars ago")
    return f"{timeframe}{when}: {reason}"


def timeframe_of(reason: str) -> Timeframe | None:
    """The timeframe of which a signal's reason speaks; None where it names none."""
    named = reason.partition(":")[0].partition(",")[0]
    return Timeframe(named) if named in set(Timeframe) else None


def _instant(moment: int) -> str:
    return f"{_EPOCH + timedelta(milliseconds=moment):%Y-%m-%d %H:%M:%SZ}"

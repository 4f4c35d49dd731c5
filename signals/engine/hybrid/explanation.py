"""One decision in words: the last row of the series, and how it came about."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import isfinite

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.hybrid.blend import stop_distance
from signals.engine.hybrid.decision import STRATEGY_NAMES, Decision, DecisionSeries, Outcome, Vote, Why
from signals.engine.hybrid.hearing import Hearing, hear
from signals.engine.hybrid.mood import blend_with_mood
from signals.engine.hybrid.settings import DEFAULTS, HybridSettings
from signals.engine.moment import instant, milliseconds
from signals.engine.plain import plain
from signals.engine.regime import REGIMES, UNKNOWN
from signals.engine.strategies import LISTENERS
from signals.engine.strategy import DecisionContext, Direction, StrategySignal, aligned
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.engine.unusual import is_unusual

# Of the timeframes above the base: when the last bar opened, and what the strategies said of the window up to it.
Heard = dict[Timeframe, tuple[int, Hearing]]


def decide(
    windows: Mapping[Timeframe, OHLCV], context: DecisionContext, settings: HybridSettings = DEFAULTS
) -> StrategySignal | None:
    """The signal to publish at `context.as_of`, or None; `explain` tells why."""
    return explain(windows, context, settings).signal


def explain(
    windows: Mapping[Timeframe, OHLCV],
    context: DecisionContext,
    settings: HybridSettings = DEFAULTS,
    heard: Heard | None = None,
) -> Decision:
    """Decide on one window of closed bars per timeframe; never raises for what the market's data may hold.

    heard: who decides at one close after the other of one instrument passes the same mapping each time.
    """
    refusal = _refusal(windows, context.as_of, settings)
    if refusal:
        return Decision(Outcome.REFUSED, refusal)
    base = windows[BASE_TIMEFRAME]
    hearings = [
        _hear_once(timeframe, windows[timeframe], context, settings, {} if heard is None else heard)
        for timeframe in settings.timeframe_weights
    ]
    moments = base.open_time + BASE_TIMEFRAME.milliseconds
    moments[-1] = milliseconds(context.as_of)
    series = blend_with_mood(base, hearings, moments, settings, context)
    why = Why(series.why[-1])
    if why < Why.SILENT:
        return Decision(Outcome.REFUSED, _unjudged(why, windows, hearings, settings))
    decision = Decision(
        why.outcome,
        "",
        score=float(series.score[-1]),
        scores=dict(zip(series.timeframes, series.scores[-1].tolist(), strict=True)),
        votes=_votes(windows, hearings, settings),
        regimes={
            heard.timeframe: REGIMES[heard.regime[-1]] for heard in hearings if heard.regime[-1] != UNKNOWN
        },
        abstentions=tuple(
            f"{heard.timeframe}: {name}: {each.missing}"
            for heard in hearings
            for name, each in heard.series.items()
            if each.missing
        ),
    )
    if why is Why.SIGNAL:
        decision = _told(decision, series, base, context, settings)
    else:
        decision = replace(decision, reason=_silence(why, decision, base, context, settings))
    return replace(decision, reason=decision.reason + _other_votes(context))


def _other_votes(context: DecisionContext) -> str:
    """What was heard besides the strategies, models' votes, by their weight; empty where nothing was."""
    newest = {name: float(np.atleast_1d(vote)[-1]) for name, vote in context.votes.items() if np.size(vote)}
    heard = ", ".join(f"{name} {vote:+.2f}" for name, vote in sorted(newest.items()) if isfinite(vote))
    return f"; also heard: {heard}" if heard else ""


def _hear_once(
    timeframe: Timeframe, window: OHLCV, context: DecisionContext, settings: HybridSettings, heard: Heard
) -> Hearing:
    """Longer bars are heard without the context, so until the next of them closes nothing changes."""
    if timeframe is BASE_TIMEFRAME:
        return hear(timeframe, window, context, settings)
    last = int(window.open_time[-1])
    known = heard.get(timeframe)
    if known is None or known[0] != last:
        known = heard[timeframe] = last, hear(timeframe, window, context, settings)
    return known[1]


def _refusal(windows: Mapping[Timeframe, OHLCV], as_of: datetime, settings: HybridSettings) -> str | None:
    now = milliseconds(as_of)
    for timeframe in settings.timeframe_weights:
        window = windows.get(timeframe)
        if window is None or len(window) == 0:
            return f"{timeframe}: no candles"
        closed_at = timeframe.close_time(int(window.open_time[-1]))
        if closed_at > now:
            return f"{timeframe}: the last bar closes at {_instant(closed_at)}, after {_instant(now)}"
        if now - closed_at > settings.oldest_periods * timeframe.milliseconds:
            return (
                f"{timeframe}: the last bar closed at {_instant(closed_at)}, too long before {_instant(now)}"
            )
    return None


def _unjudged(
    why: Why, windows: Mapping[Timeframe, OHLCV], hearings: Sequence[Hearing], settings: HybridSettings
) -> str:
    """In words, why the last row was refused before anything was weighed."""
    for heard in hearings:
        timeframe, window = heard.timeframe, windows[heard.timeframe]
        if why is Why.TOO_CLOSE and heard.crowded[-1]:
            return f"{timeframe}: bars stand closer together than {timeframe}"
        if why is Why.BAD_PRICE and heard.spoiled[-1]:
            row = int(np.flatnonzero(window.low <= 0)[-1])
            opened = _instant(int(window.open_time[row]))
            return f"{timeframe}: the bar of {opened} has a low of {window.low[row]}, prices must be positive"
        if why is Why.TOO_SHORT and not heard.able[-1]:
            first = next(each for name, each in heard.series.items() if name not in LISTENERS)
            return f"{timeframe}: {first.missing}"
    return (
        f"{BASE_TIMEFRAME}: the market stands still: at least {settings.still_limit} of the last "
        f"{settings.still_bars} bars did not move"
    )


def _votes(
    windows: Mapping[Timeframe, OHLCV], hearings: Sequence[Hearing], settings: HybridSettings
) -> tuple[Vote, ...]:
    base = windows[BASE_TIMEFRAME].open_time
    before = int(base[0] if len(base) == 1 else base[-2] + BASE_TIMEFRAME.milliseconds)
    votes = []
    for heard in hearings:
        for place, series in enumerate(heard.series.values()):
            age = int(heard.age[place, -1])
            if age < 0:
                continue
            row = len(series) - 1 - age
            votes.append(
                Vote(
                    strategy=series.strategy,
                    timeframe=heard.timeframe,
                    confidence=float(heard.vote[place, -1]),
                    age=age,
                    reason=_dated(heard.timeframe, age, series.reason(row)),
                    fresh=int(heard.closes[row]) > before,
                    weight=settings.timeframe_weights[heard.timeframe],
                )
            )
    return tuple(votes)


def _silence(
    why: Why, decided: Decision, base: OHLCV, context: DecisionContext, settings: HybridSettings
) -> str:
    score = f"blended score {decided.score:+.2f}"
    if why is Why.SILENT:
        return f"no strategy has spoken within the last {settings.memory_bars} bars of any timeframe"
    of_score = {
        Why.WEAK: f"{score} is within {settings.minimum_score:.2f} of zero",
        Why.NO_NEWS: f"{score}, but nothing new has happened in its direction",
        Why.MOOD_ALONE: f"{score}, but without sentiment there would be no such signal, and sentiment opens none",
        Why.MOOD_VETO: (
            f"{score}, but sentiment of {_mood(context, len(base)):+.2f} stands against it: "
            f"{settings.sentiment_veto:.2f} is a veto"
        ),
    }
    if why in of_score:
        return of_score[why]
    entry, risk, drawn_by = float(base.close[-1]), *_risk(base, context, settings)
    if why is Why.STOP_WITHIN_COSTS and context.round_trip_cost is not None:
        return (
            f"{score}, but the stop would stand {risk / entry:.2%} away, nearer than {settings.stop_costs:g} "
            f"times the costs of {context.round_trip_cost:.2%}; {drawn_by}"
        )
    if why is Why.STOP_WITHIN_TICKS and context.tick is not None:
        return (
            f"{score}, but the stop would stand {risk / context.tick:.1f} ticks away, nearer than "
            f"{settings.stop_ticks}; {drawn_by}"
        )
    return (
        f"stop and target cannot be drawn {plain(risk, 6)} and {settings.target_per_stop:g} times that from "
        f"{plain(entry, 6)}; {drawn_by}"
    )


def _told(
    decided: Decision, series: DecisionSeries, base: OHLCV, context: DecisionContext, settings: HybridSettings
) -> Decision:
    supporting = sorted(
        (vote for vote in decided.votes if vote.confidence * decided.score > 0),
        key=lambda vote: abs(vote.contribution),
        reverse=True,
    )
    cautions = _cautions(context, len(base), int(series.direction[-1]))
    shown = _shown(supporting, max(settings.reasons_shown - len(cautions), 1))
    signal = StrategySignal(
        strategy=STRATEGY_NAMES[series.strategy[-1]],
        direction=Direction.LONG if series.direction[-1] > 0 else Direction.SHORT,
        confidence=float(series.confidence[-1]),
        entry_price=float(series.entry_price[-1]),
        stop_loss=float(series.stop_loss[-1]),
        take_profit=float(series.take_profit[-1]),
        reasons=(*(vote.reason for vote in shown), *cautions),
    )
    _, drawn_by = _risk(base, context, settings)
    reason = "; ".join((f"blended score {decided.score:+.2f}: {signal.reasons[0]}", drawn_by, *cautions))
    return replace(decided, reason=reason, signal=signal)


def _risk(base: OHLCV, context: DecisionContext, settings: HybridSettings) -> tuple[float, str]:
    """The stop's distance from the entry, as a price, and in words where it comes from."""
    distances, wanted = stop_distance(base, settings, context)
    risk = float(distances[-1])
    if context.volatility is None or not isfinite(wanted[-1]):
        return risk, f"stop at {settings.stop_atr:g} ATR: there is no volatility forecast"
    volatility = float(aligned(context.volatility, 1)[-1])
    drawn_by = f"stop at {settings.stop_deviations:g} deviations of a forecast {volatility:.2%}"
    if risk != wanted[-1]:
        low, high = settings.stop_atr / settings.level_bound, settings.stop_atr * settings.level_bound
        drawn_by += f", held to {low:g} to {high:g} ATR"
    return risk, drawn_by


def _cautions(context: DecisionContext, bars: int, sign: int) -> tuple[str, ...]:
    cautions: tuple[str, ...] = ()
    unusual = 0.0 if context.anomaly is None else float(aligned(context.anomaly, bars)[-1])
    if context.anomaly is not None and is_unusual(unusual):
        cautions = (
            f"caution: the last {BASE_TIMEFRAME} bar is unlike those before it (anomaly {unusual:.2f})",
        )
    mood = _mood(context, bars)
    if sign * mood < 0:
        cautions += (f"caution: sentiment of {mood:+.2f} stands against it, which makes it less sure",)
    return cautions


def _mood(context: DecisionContext, bars: int) -> float:
    """Of the last bar, neutral where it is not known."""
    found = np.nan if context.sentiment is None else float(aligned(context.sentiment, bars)[-1])
    return found if isfinite(found) else 0.0


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
    return f"{instant(moment):%Y-%m-%d %H:%M:%SZ}"

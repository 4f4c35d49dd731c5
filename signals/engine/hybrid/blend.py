"""Many rows of votes into one decision each: the only place where it is decided."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.hybrid.decision import OUTCOMES, DecisionSeries, Why
from signals.engine.hybrid.hearing import BoolArray, Hearing, IntArray
from signals.engine.hybrid.settings import HybridSettings
from signals.engine.indicators.volatility import atr
from signals.engine.moment import milliseconds
from signals.engine.regime import UNKNOWN
from signals.engine.strategy import DecisionContext, aligned
from signals.engine.timeframe import BASE_TIMEFRAME

_OUTCOME_OF = np.array([OUTCOMES.index(why.outcome) for why in Why], dtype=np.int8)
# What the compiled loops know of `Why`.
_TOO_OLD, _TOO_CLOSE, _BAD_PRICE = int(Why.TOO_OLD), int(Why.TOO_CLOSE), int(Why.BAD_PRICE)
_NO_CANDLES, _TOO_SHORT, _UNREFUSED = int(Why.NO_CANDLES), int(Why.TOO_SHORT), -1
_SILENT, _WEAK, _NO_NEWS, _OPEN = int(Why.SILENT), int(Why.WEAK), int(Why.NO_NEWS), int(Why.SIGNAL)


def blend(
    base: OHLCV,
    hearings: Sequence[Hearing],
    moments: IntArray,
    settings: HybridSettings,
    context: DecisionContext,
) -> DecisionSeries:
    """Decide at `moments` (UTC ms, one per base bar, at or after its close) on what was closed by then.

    hearings: of each timeframe in the order of the settings' weights, the base's among them.
    """
    rows, weights = len(base), tuple(settings.timeframe_weights.values())
    places = np.array([np.searchsorted(heard.closes, moments, side="right") - 1 for heard in hearings])
    own = next(heard for heard in hearings if heard.timeframe is BASE_TIMEFRAME)
    as_of = milliseconds(context.as_of)
    why = np.where(own.closes > as_of, Why.NOT_CLOSED, _UNREFUSED).astype(np.int64)
    for heard, place in zip(hearings, places, strict=True):
        oldest = settings.oldest_periods * heard.timeframe.milliseconds
        _refuse(why, moments, place, heard.closes, oldest, heard.crowded)
    for heard, place in zip(hearings, places, strict=True):
        _refuse_where(why, place, heard.spoiled, _BAD_PRICE)
        _refuse_where(why, place, ~heard.able, _TOO_SHORT)
    why[(why == _UNREFUSED) & standing_still(base, settings)] = Why.STILL
    scores, heard_any = np.zeros((rows, len(hearings))), np.zeros(rows, dtype=np.bool_)
    regime = np.full((rows, len(hearings)), UNKNOWN, dtype=np.int8)
    for column, (heard, place) in enumerate(zip(hearings, places, strict=True)):
        _mean(scores[:, column], heard_any, why, place, heard.vote, heard.age)
        known = (place >= 0) & (why == _UNREFUSED)
        regime[known, column] = heard.regime[place[known]]
    score = np.zeros(rows)
    for column, weight in enumerate(weights):
        score += weight * scores[:, column]
    before = np.concatenate((base.open_time[:1], own.closes[:-1]))
    loudest, strategy, fresh = np.full(rows, -1.0), np.full(rows, -1), np.zeros(rows, dtype=np.bool_)
    for weight, heard, place in zip(weights, hearings, places, strict=True):
        spoken = (heard.vote, heard.age, heard.closes)
        loud, who, news = _support(why, score, before, place, spoken)
        louder = (who >= 0) & (weight * loud > loudest)
        loudest[louder], strategy[louder] = weight * loud[louder], who[louder]
        fresh |= news
    for code, holds in (
        (_SILENT, ~heard_any),
        (_WEAK, np.abs(score) < settings.minimum_score),
        (_NO_NEWS, ~fresh),
        (_OPEN, np.ones(rows, dtype=np.bool_)),
    ):
        why[(why == _UNREFUSED) & holds] = code
    return _levelled(base, why, score, scores, strategy, regime, settings, context)


def standing_still(base: OHLCV, settings: HybridSettings) -> BoolArray:
    """Rows at which too many of the last bars had one price only, the close before."""
    moved = base.high > base.low
    moved[1:] |= base.close[1:] != base.close[:-1]
    still = np.concatenate(([0], np.cumsum(~moved)))
    first = np.maximum(np.arange(len(base)) + 1 - settings.still_bars, 0)
    halted: BoolArray = still[1:] - still[first] >= settings.still_limit
    return halted


def stop_distance(
    base: OHLCV, settings: HybridSettings, context: DecisionContext
) -> tuple[FloatArray, FloatArray]:
    """How far the stop stands from each close, as a price, and how far the forecast alone would put it (or NaN)."""
    usual = settings.stop_atr * atr(base.high, base.low, base.close, settings.atr_period)
    if context.volatility is None:
        return usual, np.full(len(base), np.nan)
    deviation = aligned(context.volatility, len(base))
    wanted = np.where(np.isfinite(deviation), settings.stop_deviations * deviation * base.close, np.nan)
    held = np.minimum(np.maximum(wanted, usual / settings.level_bound), usual * settings.level_bound)
    return np.where(np.isnan(wanted), usual, held), wanted


def _levelled(
    base: OHLCV,
    why: IntArray,
    score: FloatArray,
    scores: FloatArray,
    strategy: IntArray,
    regime: npt.NDArray[np.int8],
    settings: HybridSettings,
    context: DecisionContext,
) -> DecisionSeries:
    """Stop and target where a signal is due; a refusal where they cannot stand."""
    close, sign = base.close, np.sign(score)
    risk, _ = stop_distance(base, settings, context)
    stop, target = close - sign * risk, close + sign * settings.target_per_stop * risk
    drawn = (np.minimum(stop, target) > 0) & (sign * (close - stop) > 0) & (sign * (target - close) > 0)
    due = why == Why.SIGNAL
    why[due & ~drawn] = Why.NO_LEVELS
    due = why == Why.SIGNAL
    if context.round_trip_cost is not None:
        why[due & (risk < settings.stop_costs * context.round_trip_cost * close)] = Why.STOP_WITHIN_COSTS
    due = why == Why.SIGNAL
    if context.tick is not None:
        why[due & (risk < settings.stop_ticks * context.tick)] = Why.STOP_WITHIN_TICKS
    due, judged = why == Why.SIGNAL, why >= Why.SILENT
    return DecisionSeries(
        open_time=base.open_time,
        outcome=_OUTCOME_OF[why],
        why=why.astype(np.int8),
        direction=np.where(due, sign, 0).astype(np.int8),
        confidence=np.where(due, 1 - np.exp(-np.abs(score) / settings.score_scale), 0.0),
        score=np.where(judged, score, 0.0),
        scores=np.where(judged[:, np.newaxis], scores, 0.0),
        entry_price=close,
        stop_loss=np.where(due, stop, np.nan),
        take_profit=np.where(due, target, np.nan),
        strategy=np.where(due, strategy, -1).astype(np.int8),
        regimes=regime,
        timeframes=tuple(settings.timeframe_weights),
    )


@njit(cache=True)
def _refuse(
    why: IntArray, moments: IntArray, place: IntArray, closes: IntArray, oldest: int, crowded: BoolArray
) -> None:
    for row in range(len(why)):
        if why[row] != _UNREFUSED:
            continue
        if place[row] < 0:
            why[row] = _NO_CANDLES
        elif moments[row] - closes[place[row]] > oldest:
            why[row] = _TOO_OLD
        elif crowded[place[row]]:
            why[row] = _TOO_CLOSE


@njit(cache=True)
def _refuse_where(why: IntArray, place: IntArray, marked: BoolArray, code: int) -> None:
    for row in range(len(why)):
        if why[row] == _UNREFUSED and marked[place[row]]:
            why[row] = code


@njit(cache=True)
def _mean(
    score: FloatArray, heard_any: BoolArray, why: IntArray, place: IntArray, vote: FloatArray, age: IntArray
) -> None:
    """The mean of the votes that are heard at each row; 0 where none is."""
    for row in range(len(score)):
        if why[row] != _UNREFUSED:
            continue
        total, count = 0.0, 0
        for each in range(len(vote)):
            if age[each, place[row]] >= 0:
                total += vote[each, place[row]]
                count += 1
        if count > 0:
            score[row], heard_any[row] = total / count, True


@njit(cache=True)
def _support(
    why: IntArray,
    score: FloatArray,
    before: IntArray,
    place: IntArray,
    spoken: tuple[FloatArray, IntArray, IntArray],
) -> tuple[FloatArray, IntArray, BoolArray]:
    """The loudest vote that says the same as the score (-1 for none), whose it is, and whether any is fresh.

    Fresh is what stands on a bar that closed after the base bar before this one: where a base candle is
    missing, what closed with it is news for the next one.
    """
    vote, age, closes = spoken
    loudest, who = np.full(len(score), -1.0), np.full(len(score), -1, dtype=np.int64)
    fresh = np.zeros(len(score), dtype=np.bool_)
    for row in range(len(score)):
        if why[row] != _UNREFUSED:
            continue
        at = place[row]
        for each in range(len(vote)):
            if age[each, at] < 0 or vote[each, at] * score[row] <= 0:
                continue
            if abs(vote[each, at]) > loudest[row]:
                loudest[row], who[row] = abs(vote[each, at]), each
            fresh[row] |= closes[at - age[each, at]] > before[row]
    return loudest, who, fresh

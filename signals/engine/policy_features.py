"""What a policy reads at the close of each base bar: three timeframes, volatility, sentiment, journal, the time.

Everything is a ratio near 1 in size and looks back only, no further than some hundred bars: a window of 500 bars, as
live has it, and a history of years give the same row. A longer bar counts once it has closed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.indicators.momentum import rsi
from signals.engine.indicators.trend import adx, ema
from signals.engine.indicators.volatility import atr
from signals.engine.strategy import aligned
from signals.engine.timeframe import BASE_TIMEFRAME, TIMEFRAME_WEIGHTS, Timeframe, newest_closed, resample
from signals.engine.volatility import ewma_variances

PER_TIMEFRAME = ("move_1", "move_6", "rsi", "above_mean", "trend_strength")
NAMES = (
    *(f"{timeframe}_{name}" for timeframe in TIMEFRAME_WEIGHTS for name in PER_TIMEFRAME),
    *(f"blend_{name}" for name in PER_TIMEFRAME),
    "volatility",
    "sentiment",
    "journal",
    "hour_sine",
    "hour_cosine",
    "weekday_sine",
    "weekday_cosine",
)
SCHEMA = {"features": list(NAMES), "position": "-1, 0, 1, the last input", "version": 1}
WIDEST = 5.0
USUAL_PERIODS = 72  # of the volatility that the forecast is compared with

HALF_LIFE_BARS = 48.0


@dataclass(frozen=True, slots=True, eq=False)
class Journal:
    """Signals that have ended: when that was known (UTC ms), 1 for long and -1 for short, and the result in R."""

    known_at: TimeArray
    direction: FloatArray
    r_multiple: FloatArray

    def __len__(self) -> int:
        return len(self.known_at)


def said_by(journal: Journal, base: OHLCV) -> FloatArray:
    """Which side has paid lately, -1 to 1: signed results known at each close, half as loud after two days."""
    closes = base.open_time + BASE_TIMEFRAME.milliseconds
    said = np.zeros(len(base))
    for known, side, result in zip(journal.known_at, journal.direction, journal.r_multiple, strict=True):
        first = int(np.searchsorted(closes, known))
        age = (closes[first:] - known) / BASE_TIMEFRAME.milliseconds
        said[first:] += side * np.clip(result, -WIDEST, WIDEST) * 0.5 ** (age / HALF_LIFE_BARS)
    return np.tanh(said / 2)


def policy_features(
    windows: Mapping[Timeframe, OHLCV],
    sentiment: float | npt.ArrayLike | None = None,
    journal: Journal | None = None,
) -> FloatArray:
    """(base bars, NAMES); NaN in rows where a timeframe cannot tell yet. sentiment: as DecisionContext has it."""
    base = windows[BASE_TIMEFRAME]
    columns, blend = [], np.zeros((len(base), len(PER_TIMEFRAME)))
    for timeframe, weight in TIMEFRAME_WEIGHTS.items():
        own = _of_timeframe(windows[timeframe])
        place = newest_closed(windows[timeframe].open_time, timeframe, base.open_time, BASE_TIMEFRAME)
        known = np.where(place[:, None] >= 0, own[place], np.nan) if len(own) else blend * np.nan
        columns.append(known)
        blend = blend + weight * known
    mood = np.zeros(len(base)) if sentiment is None else np.nan_to_num(aligned(sentiment, len(base)))
    told = said_by(journal, base) if journal else np.zeros(len(base))
    return np.column_stack((*columns, blend, _volatility(base), mood, told, *_clock(base)))


def windows_of(base: OHLCV) -> dict[Timeframe, OHLCV]:
    """The windows of every timeframe, the longer ones made of base bars."""
    return {
        timeframe: base if timeframe is BASE_TIMEFRAME else resample(base, timeframe, BASE_TIMEFRAME)
        for timeframe in TIMEFRAME_WEIGHTS
    }


def judged(base: OHLCV, features: FloatArray) -> tuple[OHLCV, FloatArray]:
    """Bars and features from the first row on from which every feature is known.

    ValueError where there is none, or where a later row lacks one.
    """
    known = np.asarray(np.isfinite(features).all(axis=1))
    first = int(np.argmax(known))
    if not known.any() or not known[first:].all():
        raise ValueError("too few candles, or too many missing ones, for the features of a policy")
    return base[first:], features[first:]


def _of_timeframe(window: OHLCV) -> FloatArray:
    if len(window) < 2:
        return np.full((len(window), len(PER_TIMEFRAME)), np.nan)
    close = window.close
    logs = np.log(np.maximum(close, np.finfo(np.float64).tiny))
    reach = np.maximum(atr(window.high, window.low, close, 14), 1e-9 * close)
    made = np.column_stack(
        (
            _change(logs, 1) * close / reach,
            _change(logs, 6) * close / reach / 2.5,
            (rsi(close, 14) - 50) / 25,
            (close - ema(close, 24)) / reach / 2,
            adx(window.high, window.low, close, 14) / 50,
        )
    )
    return np.clip(made, -WIDEST, WIDEST)


def _change(values: FloatArray, bars: int) -> FloatArray:
    changed = np.full(len(values), np.nan)
    changed[bars:] = values[bars:] - values[:-bars]
    return changed


def _volatility(base: OHLCV) -> FloatArray:
    """The log of the forecast of the next bar's deviation against what it was usually, both exponential means."""
    if len(base) < 2:
        return np.full(len(base), np.nan)
    returns = np.diff(np.log(np.maximum(base.close, np.finfo(np.float64).tiny)))
    soon, usual = (ewma_variances(returns, decay) for decay in (0.94, 1 - 2 / (USUAL_PERIODS + 1)))
    tiny = 1e-12
    return np.clip(np.log((soon + tiny) / (usual + tiny)) / 2, -WIDEST, WIDEST)


def _clock(base: OHLCV) -> tuple[FloatArray, ...]:
    """Of the bar's close, UTC."""
    hours = (base.open_time + BASE_TIMEFRAME.milliseconds) / 3_600_000
    day, week = 2 * np.pi * hours / 24, 2 * np.pi * hours / 168
    return np.sin(day), np.cos(day), np.sin(week), np.cos(week)

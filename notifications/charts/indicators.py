"""What each strategy looked at: lines over the candles and one panel below them, by the strategy's own numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.momentum import rsi
from signals.engine.indicators.trend import adx, ema, macd, minus_di, plus_di, sma
from signals.engine.indicators.volatility import atr, bollinger_bands, donchian
from signals.engine.indicators.volume import vwap
from signals.engine.strategies import STRATEGIES


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One value per row of the window, NaN before the first."""

    label: str
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Indicator:
    """`over` is drawn in units of price; `lines`, `bars` and the constant `bounds` in the panel's own."""

    title: str
    lines: tuple[Line, ...] = ()
    bars: FloatArray | None = None
    bounds: tuple[float, ...] = ()
    over: tuple[Line, ...] = ()


def indicator_of(strategy: str, window: OHLCV) -> Indicator:
    """What decided, on that window; volume for strategies that look at something besides the candles."""
    return INDICATORS.get(strategy, _volume)(window, _parameters(strategy))


def _parameters(strategy: str) -> Any:
    """Of whichever strategy it is: each has a class of its own."""
    return STRATEGIES[strategy].parameters if strategy in STRATEGIES else None


def _bars(window: OHLCV) -> tuple[FloatArray, FloatArray, FloatArray]:
    return window.high, window.low, window.close


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: FloatArray = numerator / denominator
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _moving_average(window: OHLCV, chosen: Any) -> Indicator:
    fast, slow = ema(window.close, chosen.fast), ema(window.close, chosen.slow)
    title = f"EMA {chosen.fast} minus EMA {chosen.slow}"
    over = (Line(f"EMA {chosen.fast}", fast), Line(f"EMA {chosen.slow}", slow))
    return Indicator(title, bars=fast - slow, bounds=(0,), over=over)


def _macd(window: OHLCV, chosen: Any) -> Indicator:
    found = macd(window.close, chosen.fast, chosen.slow, chosen.signal)
    lines = (Line("MACD", found.macd), Line("Signal", found.signal))
    title = f"MACD {chosen.fast}, {chosen.slow}, {chosen.signal}"
    return Indicator(title, lines, bars=found.histogram, bounds=(0,))


def _confirmed(window: OHLCV, chosen: Any) -> Indicator:
    named = (("ADX", adx), ("+DI", plus_di), ("−DI", minus_di))
    lines = tuple(Line(name, function(*_bars(window), chosen.adx_period)) for name, function in named)
    return Indicator(f"ADX {chosen.adx_period}", lines, bounds=(chosen.strength,))


def _rsi(window: OHLCV, chosen: Any) -> Indicator:
    line = Line("RSI", rsi(window.close, chosen.period))
    bounds = (getattr(chosen, "lower", 30.0), getattr(chosen, "upper", 70.0))
    return Indicator(f"RSI {chosen.period}", (line,), bounds=bounds)


def _bollinger(window: OHLCV, chosen: Any) -> Indicator:
    bands = bollinger_bands(window.close, chosen.period, chosen.deviations)
    place = Line("Close", _ratio(window.close - bands.middle, bands.upper - bands.middle))
    over = (Line("Upper", bands.upper), Line("Middle", bands.middle), Line("Lower", bands.lower))
    return Indicator(
        f"Place between the Bollinger bands {chosen.period}", (place,), bounds=(-1, 1), over=over
    )


def _grid(window: OHLCV, chosen: Any) -> Indicator:
    middle = sma(window.close, chosen.period)
    spacing = chosen.spacing_atr * atr(*_bars(window), chosen.atr_period)
    distance = Line("Close", _ratio(window.close - middle, spacing))
    lines = tuple(float(line) for line in range(-chosen.lines, chosen.lines + 1))
    title = f"Grid lines from SMA {chosen.period}"
    return Indicator(title, (distance,), bounds=lines, over=(Line(f"SMA {chosen.period}", middle),))


def _momentum(window: OHLCV, chosen: Any) -> Indicator:
    usual = atr(*_bars(window), chosen.atr_period) * np.sqrt(chosen.period)
    speed = Line("Speed", _ratio(window.close - shifted(window.close, chosen.period), usual))
    title = f"Change in {chosen.period} bars, in usual ranges"
    return Indicator(title, (speed,), bounds=(-chosen.threshold, chosen.threshold))


def _breakout(window: OHLCV, chosen: Any) -> Indicator:
    channel = donchian(window.high, window.low, chosen.channel_bars)
    over = (Line("Upper", shifted(channel.upper, 1)), Line("Lower", shifted(channel.lower, 1)))
    width = _ratio(window.high - window.low, shifted(atr(*_bars(window), chosen.atr_period), 1))
    return Indicator("Height of the bar, in usual ranges", bars=width, bounds=(chosen.expansion,), over=over)


def _market_making(window: OHLCV, chosen: Any) -> Indicator:
    fair = vwap(*_bars(window), window.volume, chosen.period)
    distance = Line("Close", _ratio(window.close - fair, atr(*_bars(window), chosen.atr_period)))
    bounds = (-chosen.half_spread_atr, chosen.half_spread_atr)
    title = f"Distance from VWAP {chosen.period}, in usual ranges"
    return Indicator(title, (distance,), bounds=bounds, over=(Line(f"VWAP {chosen.period}", fair),))


def _dca(window: OHLCV, chosen: Any) -> Indicator:
    highest = donchian(window.close, window.close, chosen.high_bars).upper
    step = chosen.step_atr * atr(*_bars(window), chosen.atr_period)
    depth = Line("Close", _ratio(window.close - highest, step))
    title = f"Steps below the {chosen.high_bars}-bar high"
    return Indicator(title, (depth,), bounds=(-1, 0), over=(Line("High", highest),))


def _volume(window: OHLCV, chosen: Any) -> Indicator:
    return Indicator("Volume", bars=window.volume)


# `sentiment`, `pairs_trading` and `consensus` look at news, at another market and at votes.
INDICATORS: Mapping[str, Callable[[OHLCV, Any], Indicator]] = MappingProxyType(
    {
        "moving_average": _moving_average,
        "macd": _macd,
        "confirmed": _confirmed,
        "rsi": _rsi,
        "bollinger_mean_reversion": _bollinger,
        "grid": _grid,
        "divergence": _rsi,
        "momentum": _momentum,
        "volatility_breakout": _breakout,
        "market_making": _market_making,
        "dca": _dca,
    }
)

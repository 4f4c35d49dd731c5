"""What models that choose among strategies see of a market: one row a bar, nothing of it from later bars.

Columns are free of the price's scale, so that one model may learn from all instruments.
"""

import numpy as np

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.momentum import rsi
from signals.engine.indicators.trend import adx, minus_di, plus_di, sma
from signals.engine.indicators.volatility import atr, bollinger_bands, donchian, realised
from signals.engine.moment import EPOCH
from signals.engine.regime import MEMORY_BARS, PERIOD, UNKNOWN, regimes, relative_volatility
from signals.engine.registry import row_wise
from signals.engine.strategy import DecisionContext

CHANGES = (1, 4, 12, 24, 72, 168)
AVERAGES = (20, 50, 200)
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MARKET_FEATURES = (
    "regime",
    "adx",
    "direction",
    "relative_volatility",
    "range_share",
    "volatility_ratio",
    "rsi",
    "band_position",
    "channel_position",
    "body",
    "volume_ratio",
    *(f"change_{bars}" for bars in CHANGES),
    *(f"above_average_{bars}" for bars in AVERAGES),
    "hour_sine",
    "hour_cosine",
    "weekday",
)
FEATURES_WARM_UP = max(MEMORY_BARS, *CHANGES, *AVERAGES) + 1


@row_wise(warm_up=FEATURES_WARM_UP)
def market_features(ohlcv: OHLCV, context: DecisionContext | None = None) -> FloatArray:
    """Shape (rows, columns) in the order of MARKET_FEATURES; NaN until an indicator is warm. Prices above zero.

    regime: place in REGIMES. direction: difference of +DI and -DI. range_share: ATR as a ratio of the close.
    volatility_ratio: deviation of returns over 20 bars against 100. *_position: 0 at the lower band, 1 at the
    upper one. body and changes (of the close, over so many bars): in ATRs, changes over the root of the bars.
    volume_ratio: logarithm against the mean of 20 bars. above_average_*: distance of the close from its average, in
    ATRs. hour_*, weekday: of the bar's opening, UTC. Of `context` only the memo counts, as for `regimes`.
    """
    known = context or DecisionContext(as_of=EPOCH, memo={})
    once = known.once
    bars = (ohlcv.high, ohlcv.low, ohlcv.close)
    close, reach = ohlcv.close, once(atr, *bars, PERIOD)
    place = regimes(ohlcv, known).astype(np.float64)
    band, channel = once(bollinger_bands, close, 20, 2.0), once(donchian, ohlcv.high, ohlcv.low, 20)
    hour = 2 * np.pi * (ohlcv.open_time % DAY_MS) / DAY_MS
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = [
            np.where(place == UNKNOWN, np.nan, place),
            once(adx, *bars, PERIOD),
            once(plus_di, *bars, PERIOD) - once(minus_di, *bars, PERIOD),
            once(relative_volatility, *bars, PERIOD),
            reach / close,
            realised(close, 20) / once(realised, close, 100),
            once(rsi, close, PERIOD),
            (close - band.lower) / (band.upper - band.lower),
            (close - channel.lower) / (channel.upper - channel.lower),
            (close - ohlcv.open) / reach,
            np.log1p(ohlcv.volume) - np.log1p(once(sma, ohlcv.volume, 20)),
            *((close - shifted(close, each)) / (reach * np.sqrt(each)) for each in CHANGES),
            *((close - sma(close, each)) / reach for each in AVERAGES),
            np.sin(hour),
            np.cos(hour),
            (ohlcv.open_time // DAY_MS + 3) % 7.0,
        ]
    table = np.column_stack(columns)
    return np.where(np.isfinite(table), table, np.nan)

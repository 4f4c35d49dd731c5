"""Stored volatility fits: made once a day from stored candles, read by every decision."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from math import isfinite

import numpy as np

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.hybrid import BASE_TIMEFRAME
from signals.engine.volatility import (
    MINIMUM_RETURNS,
    NO_GARCH,
    FittedVolatility,
    GarchFit,
    HarFit,
    VolatilityModel,
    fit_volatility,
    forecast,
)
from signals.market.models import Instrument
from signals.market.selectors import load_window
from signals.models import VolatilityFit

FITTED_BARS = 2_160  # 90 days of hours
REFRESHED_AFTER = timedelta(days=1)
USABLE_FOR = timedelta(days=7)


def refresh_volatility(*, instrument: Instrument, as_of: datetime, now: datetime) -> VolatilityFit | None:
    """Fit anew when the newest fit is a day old; None while it is younger or candles are too few."""
    newest = _newest(instrument.pk, as_of)
    if newest and as_of - newest.fitted_through < REFRESHED_AFTER:
        return None
    window = load_window(
        instrument_id=instrument.pk, timeframe=BASE_TIMEFRAME, bars=FITTED_BARS + 1, as_of=as_of
    )
    returns = _log_returns(window)
    if len(returns) < MINIMUM_RETURNS:
        return None
    fitted = fit_volatility(returns)
    closed_at = BASE_TIMEFRAME.close_time(int(window.open_time[-1]))
    row, _ = VolatilityFit.objects.get_or_create(
        instrument=instrument,
        timeframe=BASE_TIMEFRAME.value,
        fitted_through=datetime.fromtimestamp(closed_at / 1000, UTC),
        defaults={
            "fitted_at": now,
            "returns_used": len(returns),
            "chosen": fitted.chosen.value,
            "qlike": {model.value: score for model, score in fitted.qlike.items()},
            "garch": None if fitted.garch.fallback else asdict(fitted.garch),
            "har": asdict(fitted.har) if fitted.har else None,
        },
    )
    return row


def forecast_volatility(*, instrument_id: int, window: OHLCV, as_of: datetime) -> float | None:
    """Deviation of the next base bar's log return by the newest fit made of candles closed at `as_of`.

    `window` holds base candles up to `as_of`. None without a fit of the last seven days or enough candles.
    """
    stored = _newest(instrument_id, as_of)
    if stored is None or as_of - stored.fitted_through > USABLE_FOR:
        return None
    expected = forecast(_fitted(stored), _log_returns(window))
    return expected if isfinite(expected) else None


def _newest(instrument_id: int, as_of: datetime) -> VolatilityFit | None:
    fits = VolatilityFit.objects.filter(instrument_id=instrument_id, timeframe=BASE_TIMEFRAME.value)
    return fits.filter(fitted_through__lte=as_of).order_by("-fitted_through").first()


def _fitted(row: VolatilityFit) -> FittedVolatility:
    return FittedVolatility(
        chosen=VolatilityModel(row.chosen),
        garch=GarchFit(**row.garch) if row.garch else NO_GARCH,
        har=HarFit(**row.har) if row.har else None,
        qlike={VolatilityModel(name): score for name, score in row.qlike.items()},
    )


def _log_returns(window: OHLCV) -> FloatArray:
    returns: FloatArray = np.diff(np.log(window.close))
    return returns

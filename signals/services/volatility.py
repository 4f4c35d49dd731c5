"""Stored volatility fits: made once a day from stored candles, read by every decision."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import isfinite

import numpy as np

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.hybrid import BASE_TIMEFRAME, VALIDITY_BARS
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


@dataclass(frozen=True, slots=True)
class Forecast:
    """Deviation of the log return until a signal of now expires; None where `missing` says why there is none."""

    deviation: float | None
    missing: str = ""
    fit: VolatilityFit | None = None

    def features(self) -> dict[str, float | str]:
        """What an evaluation keeps: the forecast, whose it is, and how good that model was out of sample."""
        if self.fit is None or self.deviation is None:
            return {"volatility_missing": self.missing}
        chosen = self.fit.chosen
        return {
            "volatility": self.deviation,
            "volatility_model": chosen,
            "volatility_qlike": self.fit.qlike[chosen],
        }


def refresh_volatility(*, instrument: Instrument, as_of: datetime, now: datetime) -> VolatilityFit | None:
    """Fit anew when the newest fit is a day old; None while it is younger or candles are too few."""
    newest = _newest(instrument.pk, as_of)
    if newest and not newest.is_due_again(as_of):
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
            "known_at": as_of,
            "fitted_at": now,
            "returns_used": len(returns),
            "chosen": fitted.chosen.value,
            "qlike": {model.value: score for model, score in fitted.qlike.items()},
            "garch": None if fitted.garch.fallback else asdict(fitted.garch),
            "har": asdict(fitted.har) if fitted.har else None,
        },
    )
    return row


def forecast_volatility(*, instrument_id: int, window: OHLCV, as_of: datetime) -> Forecast:
    """By the newest fit that was known at `as_of`, if it is of the last seven days and was judged.

    `window` holds base candles up to `as_of`. A fit whose models could not be judged out of sample is a
    fallback and forecasts nothing.
    """
    stored = _newest(instrument_id, as_of)
    if stored is None:
        return Forecast(None, "no fit yet")
    if stored.is_too_old(as_of):
        return Forecast(None, f"the newest fit is of {stored.fitted_through:%Y-%m-%d}, too old")
    if stored.chosen not in stored.qlike:
        return Forecast(None, "the fit is a fallback: no model could be judged")
    expected = forecast(_fitted(stored), _log_returns(window), VALIDITY_BARS)
    if not isfinite(expected):
        return Forecast(None, f"{stored.chosen}: too few candles to forecast from")
    return Forecast(expected, fit=stored)


def _newest(instrument_id: int, as_of: datetime) -> VolatilityFit | None:
    return VolatilityFit.objects.newest(
        instrument_id=instrument_id, timeframe=BASE_TIMEFRAME.value, as_of=as_of
    )


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

"""Stored isolation forests: grown once a day from stored candles, asked how unusual a bar is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite

import numpy as np
import structlog

from signals.engine.candle import OHLCV
from signals.engine.packing import BytesAlteredError, pack_arrays, sha256_of, unpack_arrays
from signals.engine.patterns.anomaly import anomaly_features
from signals.engine.patterns.isolation_forest import (
    FEWEST_ROWS,
    IsolationForest,
    anomaly_score,
    fit_isolation_forest,
)
from signals.engine.timeframe import BASE_TIMEFRAME
from signals.market.models import Instrument
from signals.market.selectors import load_window
from signals.models import USABLE_FOR, AnomalyForest

logger = structlog.get_logger(__name__)

FITTED_BARS = 2_160  # 90 days of hours


class ForestAlteredError(Exception):
    """The stored bytes are not those that were written; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """0 to 1, above 0.5 for what is less usual than average; None where `missing` says why there is none."""

    score: float | None
    missing: str = ""

    def features(self) -> dict[str, float | str]:
        """What an evaluation keeps."""
        return {"anomaly_missing": self.missing} if self.score is None else {"anomaly": self.score}


def refresh_forest(*, instrument: Instrument, as_of: datetime, now: datetime) -> AnomalyForest | None:
    """Grow anew when the newest forest is a day old; None while it is younger or candles are too few.

    Forests that nobody may use any more are deleted: each is some hundred kilobytes.
    """
    newest = _newest(instrument.pk, as_of)
    if newest and not newest.is_due_again(as_of):
        return None
    window = load_window(instrument_id=instrument.pk, timeframe=BASE_TIMEFRAME, bars=FITTED_BARS, as_of=as_of)
    features = anomaly_features(window)
    rows = int(np.isfinite(features).all(axis=1).sum())
    if rows < FEWEST_ROWS:
        return None
    closed_at = BASE_TIMEFRAME.close_time(int(window.open_time[-1]))
    forest = fit_isolation_forest(features, seed=closed_at // BASE_TIMEFRAME.milliseconds)
    arrays = pack_arrays(forest.to_arrays())
    row, _ = AnomalyForest.objects.get_or_create(
        instrument=instrument,
        timeframe=BASE_TIMEFRAME.value,
        fitted_through=datetime.fromtimestamp(closed_at / 1000, UTC),
        defaults={
            "known_at": as_of,
            "fitted_at": now,
            "rows_used": rows,
            "arrays": arrays,
            "sha256": sha256_of(arrays),
        },
    )
    AnomalyForest.objects.filter(instrument=instrument, fitted_through__lt=as_of - USABLE_FOR).delete()
    return row


def score_anomaly(*, instrument_id: int, window: OHLCV, as_of: datetime) -> Anomaly:
    """How unusual the last bar of `window` is (base candles up to `as_of`).

    By the newest forest that was known at `as_of`, if it is of the last seven days and its bytes are those
    that were written: a forest that was tampered with is named and never asked.
    """
    stored = _newest(instrument_id, as_of)
    if stored is None:
        return Anomaly(None, "no forest yet")
    if stored.is_too_old(as_of):
        return Anomaly(None, f"the newest forest is of {stored.fitted_through:%Y-%m-%d}, too old")
    try:
        forest = _unpacked(stored)
    except ForestAlteredError as error:
        logger.exception("forest altered", forest=str(stored))
        return Anomaly(None, str(error))
    (score,) = anomaly_score(forest, anomaly_features(window)[-1:]).tolist()
    return Anomaly(score) if isfinite(score) else Anomaly(None, "too few candles to score")


def _newest(instrument_id: int, as_of: datetime) -> AnomalyForest | None:
    return AnomalyForest.objects.newest(
        instrument_id=instrument_id, timeframe=BASE_TIMEFRAME.value, as_of=as_of
    )


def _unpacked(row: AnomalyForest) -> IsolationForest:
    try:
        return IsolationForest.from_arrays(unpack_arrays(bytes(row.arrays), sha256=row.sha256))
    except BytesAlteredError as error:
        raise ForestAlteredError(
            f"the forest of {row} has been altered: delete the row, the next refresh grows another"
        ) from error

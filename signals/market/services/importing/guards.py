"""What an import must not do without being asked for it."""

from datetime import UTC, datetime

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe
from signals.market.models import COLUMNS, Instrument
from signals.market.selectors import load_range

SMALL_SHARE = 0.01
NOISE = 1e-9  # relative; what two programs make of one number


def many_would_change(instrument: Instrument, timeframe: Timeframe, candles: OHLCV) -> str | None:
    """Why this looks like another market's prices, in words; None where hardly a stored candle would change."""
    first, last = (datetime.fromtimestamp(int(moment) / 1000, UTC) for moment in candles.open_time[[0, -1]])
    stored = load_range(
        instrument_id=instrument.pk,
        timeframe=timeframe,
        start=first,
        end=last.replace(microsecond=999_999),
    )
    common, here, there = np.intersect1d(
        stored.open_time, candles.open_time, assume_unique=True, return_indices=True
    )
    if not len(common):
        return None
    old, new = (
        np.column_stack([getattr(bars, name)[rows] for name in COLUMNS[1:]])
        for bars, rows in ((stored, here), (candles, there))
    )
    differs = np.abs(new - old) > NOISE * np.abs(old)
    changed = np.flatnonzero(differs.any(axis=1))
    if len(changed) <= max(1.0, SMALL_SHARE * len(common)):
        return None
    row = int(changed[0])
    column = int(np.flatnonzero(differs[row])[0])
    moment = datetime.fromtimestamp(int(common[row]) / 1000, UTC)
    return (
        f"{len(changed)} of the {len(common)} candles of {instrument.symbol} {timeframe} that are stored already would "
        f"change, the first at {moment:%Y-%m-%d %H:%M}, {COLUMNS[column + 1]} {old[row, column]:.12g} -> "
        f"{new[row, column]:.12g}: is it the same market, in the same unit? Give --force to replace them"
    )

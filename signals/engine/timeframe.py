"""Lengths of a bar. Every bucket starts at a multiple of its length since the UTC epoch."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from signals.engine.candle import OHLCV, TimeArray


class Timeframe(StrEnum):
    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def seconds(self) -> int:
        return int(self.value[:-1]) * {"m": 60, "h": 3_600, "d": 86_400}[self.value[-1]]

    @property
    def milliseconds(self) -> int:
        return self.seconds * 1_000

    def close_time(self, open_time: int) -> int:
        """The instant (UTC ms) at which the bar that opened at `open_time` is complete."""
        return open_time + self.milliseconds

    def floor(self, moment: int) -> int:
        """Open time (UTC ms) of the bar that `moment` (UTC ms) falls into."""
        return moment - moment % self.milliseconds


WINDOW_BARS = 500  # of each timeframe that a decision looks at
BASE_TIMEFRAME = Timeframe.H1  # every decision is made at the close of one of its bars
TIMEFRAME_WEIGHTS: Mapping[Timeframe, float] = MappingProxyType(
    {Timeframe.H1: 0.20, Timeframe.H4: 0.30, Timeframe.D1: 0.50}
)


def resample(ohlcv: "OHLCV", target: str, base: str | None = None) -> "OHLCV":
    """Longer bars of shorter ones: first open, highest high, lowest low, last close, summed volume.

    `base` is the given bars' timeframe. Without it their length is taken as the largest that divides every
    distance between two of them, which is too long where every other bar is missing: pass it wherever it is known.

    A bucket is emitted when its first bar stands at its start and a bar at or after its last slot has
    been seen, so a partial first or last bucket is dropped and a gap inside one is not filled. Of one bar
    without `base` nothing is known to be complete. ValueError when `target` is no timeframe or no
    multiple of that length, and for bars that do not stand on multiples of `base`.
    """
    import numpy as np  # noqa: PLC0415  (web, beat and sender need the names above only)

    from signals.engine.candle import OHLCV  # noqa: PLC0415

    length = Timeframe(target).milliseconds
    step = _step(ohlcv, base)
    if step == 0 or len(ohlcv) == 0:
        return ohlcv[:0]
    if length % step:
        raise ValueError(
            f"{target} is no multiple of the given bars, which stand {step / 60_000:g} minutes apart"
        )
    bucket = ohlcv.open_time - ohlcv.open_time % length
    first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    last = np.append(first[1:], len(ohlcv)) - 1
    complete = ohlcv.open_time[first] == bucket[first]
    complete[-1] &= ohlcv.open_time[-1] >= bucket[-1] + length - step
    longer = OHLCV(
        open_time=bucket[first],
        open=ohlcv.open[first],
        high=np.maximum.reduceat(ohlcv.high, first),
        low=np.minimum.reduceat(ohlcv.low, first),
        close=ohlcv.close[last],
        volume=np.add.reduceat(ohlcv.volume, first),
    )
    return _take(longer, complete)


def _step(ohlcv: "OHLCV", base: str | None) -> int:
    import numpy as np  # noqa: PLC0415

    if base is None:
        return int(np.gcd.reduce(np.diff(ohlcv.open_time)))
    step = Timeframe(base).milliseconds
    if (ohlcv.open_time % step).any():
        row = int(np.argmax(ohlcv.open_time % step != 0))
        raise ValueError(
            f"row {row}: open_time {int(ohlcv.open_time[row])} is not the start of a bar of {base}"
        )
    return step


def newest_closed(
    longer: "TimeArray", longer_timeframe: Timeframe, base: "TimeArray", base_timeframe: Timeframe
) -> "npt.NDArray[np.intp]":
    """For each base bar's close, the row of the newest longer bar that had closed; -1 where none had.

    `longer` and `base` are open times (UTC ms), oldest first.
    """
    import numpy as np  # noqa: PLC0415

    closes = base + base_timeframe.milliseconds
    return np.searchsorted(longer + longer_timeframe.milliseconds, closes, side="right") - 1


def _take(ohlcv: "OHLCV", rows: "npt.NDArray[np.bool_]") -> "OHLCV":
    from signals.engine.candle import OHLCV  # noqa: PLC0415

    return OHLCV(
        ohlcv.open_time[rows],
        ohlcv.open[rows],
        ohlcv.high[rows],
        ohlcv.low[rows],
        ohlcv.close[rows],
        ohlcv.volume[rows],
    )

"""Which candles become samples of training.

FULL takes every candle. SEED takes those of the seed documents: where the regime changes, and 48 hours after the last
one whatever the regime does, never two within 24 hours.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from signals.engine.timeframe import Timeframe

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from signals.engine.candle import TimeArray

UNKNOWN_REGIME = -1


class Sampling(StrEnum):
    FULL = "full"
    SEED = "seed"

    @property
    def label(self) -> str:
        return {"full": "Every candle", "seed": "Regime changes"}[self.value]


# Candles between two samples: 24 hours. The seed's table, and 5m, which it does not name.
SPACING_CANDLES: Mapping[Timeframe, int] = MappingProxyType(
    {
        Timeframe.M1: 1_440,
        Timeframe.M5: 288,
        Timeframe.M15: 96,
        Timeframe.H1: 24,
        Timeframe.H4: 6,
        Timeframe.D1: 1,
    }
)
PERIODIC_SPACINGS = 2  # 48 hours


def sampled_rows(
    open_time: "TimeArray",
    regime: "npt.NDArray[np.int8]",
    *,
    timeframe: Timeframe,
    sampling: Sampling = Sampling.FULL,
) -> "npt.NDArray[np.int64]":
    """Rows that become samples, rising. Rows of an unknown regime (-1) never do.

    open_time: UTC ms, (n,), rising; regime: place in REGIMES, (n,). Time is what counts: a gap is as long as it is.
    """
    import numpy as np  # noqa: PLC0415  (web, beat and sender need the names above only)

    if len(open_time) != len(regime):
        raise ValueError(f"one regime a candle: got {len(open_time)} candles and {len(regime)} regimes")
    known = np.flatnonzero(regime != UNKNOWN_REGIME).astype(np.int64)
    if sampling is Sampling.FULL:
        return known
    spacing = SPACING_CANDLES[timeframe] * timeframe.milliseconds
    chosen: list[int] = []
    for place, row in enumerate(known.tolist()):
        if not chosen:
            chosen.append(row)
            continue
        waited = int(open_time[row] - open_time[chosen[-1]])
        has_changed = bool(regime[row] != regime[known[place - 1]])
        if waited >= PERIODIC_SPACINGS * spacing or (has_changed and waited >= spacing):
            chosen.append(row)
    return np.array(chosen, dtype=np.int64)

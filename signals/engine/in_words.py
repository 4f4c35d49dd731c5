"""What the record of the trend rule says, in one sentence that pages, messages and the report share."""

from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy.typing as npt

BEST_SHARE = 0.05


def share_of_profit(r_multiples: "npt.ArrayLike", best: float = BEST_SHARE) -> float:
    """What the best 5 % of trades make of the sum of all results; NaN where that sum is not positive."""
    import numpy as np  # noqa: PLC0415  (pages and messages need the sentence only)

    ordered = np.sort(np.asarray(r_multiples, dtype=np.float64))[::-1]
    total = float(ordered.sum())
    count = max(round(best * len(ordered)), 1)
    return float(ordered[:count].sum()) / total if len(ordered) and total > 0 else float("nan")


def trend_sentence(r_multiples: "npt.ArrayLike") -> str:
    """How often it wins, what the typical trade does, what carries it, what is not proven."""
    import numpy as np  # noqa: PLC0415

    r = np.asarray(r_multiples, dtype=np.float64)
    return record_sentence(
        hit_rate=float((r > 0).mean()), median=float(np.median(r)), carried=share_of_profit(r), n=len(r)
    )


def record_sentence(*, hit_rate: float, median: float, carried: float, n: int) -> str:
    """The same from figures that were kept. carried: NaN where nothing was earned."""
    typical = "loses" if median < 0 else "gains"
    carries = (
        f"the best 5 % of trades make {carried:.0%} of what is earned"
        if isfinite(carried)
        else "over this record nothing was earned"
    )
    return (
        f"Of {n} trades {hit_rate:.0%} won; the typical one {typical} ({median:+.2f} R); {carries}. "
        "That it will go on earning is not proven: promise risk, not return."
    )

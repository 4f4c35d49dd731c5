"""What came of the signals that a replay would have sent."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from research.models import ReplayRun
from signals.engine.direction import Direction
from signals.engine.horizon import HORIZON_BARS
from signals.engine.outcome import follow_plans
from signals.engine.timeframe import BASE_TIMEFRAME
from signals.market.selectors import load_range

BASE_PERIOD = timedelta(seconds=BASE_TIMEFRAME.seconds)


@dataclass(frozen=True, slots=True)
class Results:
    """In R after costs, over the signals that ended, in the order of their ends; NaN where none has."""

    ended: int
    open: int
    total_r: float
    mean_r: float
    hit_rate: float
    drawdown_r: float


def replay_results(run: ReplayRun) -> Results:
    """Followed on stored candles by the fill code of the live outcomes, at each instrument's own costs."""
    ends: list[tuple[int, float]] = []
    count = 0
    for instrument in run.instruments.select_related("exchange"):
        signals = list(run.signals.filter(instrument=instrument))
        count += len(signals)
        candles = load_range(
            instrument_id=instrument.pk,
            timeframe=BASE_TIMEFRAME,
            start=run.start - 2 * BASE_PERIOD,
            end=run.end + (HORIZON_BARS + 2) * BASE_PERIOD,
        )
        rows = {int(opened): row for row, opened in enumerate(candles.open_time)}
        decided = [
            (signal, rows[opened])
            for signal in signals
            if (opened := int(signal.published_at.timestamp() * 1000) - BASE_TIMEFRAME.milliseconds) in rows
        ]
        if not decided:
            continue
        outcomes = follow_plans(
            candles,
            rows=[row for _, row in decided],
            directions=[Direction(signal.direction).sign for signal, _ in decided],
            entry_prices=[signal.entry_price for signal, _ in decided],
            plans=[signal.exit_plan for signal, _ in decided],
            rates=instrument.cost_rates(),
        )
        ends += zip(
            outcomes.exited_at[outcomes.ended].tolist(),
            outcomes.r_multiple[outcomes.ended].tolist(),
            strict=True,
        )
    r_multiples = np.array([r for _, r in sorted(ends)])
    if len(r_multiples) == 0:
        return Results(0, count, 0.0, float("nan"), float("nan"), 0.0)
    return Results(
        len(r_multiples),
        count - len(r_multiples),
        float(r_multiples.sum()),
        float(r_multiples.mean()),
        float((r_multiples > 0).mean()),
        _drawdown(r_multiples),
    )


def _drawdown(r_multiples: np.ndarray) -> float:
    """The deepest fall of the running sum below its highest point, which is 0 at least; in R."""
    total = np.concatenate(([0.0], np.cumsum(r_multiples)))
    return float((np.maximum.accumulate(total) - total).max())

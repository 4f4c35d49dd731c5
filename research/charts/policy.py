"""The figures of policies: learning curves, and what a policy wants at each candle."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from research.charts.candles import candles
from research.charts.figure import Figure, figure, instants, numbers
from signals.engine.candle import OHLCV

TONES = 6
WANTED = (
    (1, "Long", "good", "triangle-up"),
    (-1, "Short", "bad", "triangle-down"),
    (0, "Flat", "line", "circle"),
)


def curves_figure(curves: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """Mean reward a step against steps, one line for each training."""
    return figure(
        [
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": [point[0] for point in points],
                "y": numbers([point[1] for point in points]),
                "meta": {"tone": f"series-{number % TONES + 1}"},
            }
            for number, (name, points) in enumerate(curves.items())
        ],
        xaxis={"title": {"text": "Steps"}},
        yaxis={"title": {"text": "Mean reward a step"}},
    )


def action_map(bars: OHLCV, positions: npt.ArrayLike, *, name: str) -> Figure:
    """Candles; below each a mark of the position that the policy wants at its close."""
    wanted = np.asarray(positions)
    found = candles(bars, name=name)
    reach = float(bars.high.max() - bars.low.min())
    for side, title, tone, symbol in WANTED:
        rows = wanted == side
        found["data"].append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": title,
                "x": instants(bars.open_time[rows]),
                "y": numbers(bars.low[rows] - 0.02 * reach),
                "marker": {"size": 6, "symbol": symbol},
                "meta": {"tone": tone},
            }
        )
    return found

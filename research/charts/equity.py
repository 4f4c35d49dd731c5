"""Curves over time: equity, and how far below its highest it stood."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from research.charts.figure import Figure, Times, figure, level, line


def equity(
    times: Times, curves: Mapping[str, npt.ArrayLike], *, unit: str = "", start: float | None = 0.0
) -> Figure:
    """One line per name, on common times. `start`: where the account began, drawn as a level."""
    mode = "lines" if np.size(times) > 1 else "markers"  # a line needs two points
    traces = [
        line(
            times,
            values,
            name=name,
            tone=f"series-{number % 6 + 1}",
            mode=mode,
            line={"width": 2, "shape": "hv"},
        )
        for number, (name, values) in enumerate(curves.items())
    ]
    return figure(
        traces,
        xaxis={"type": "date"},
        yaxis={"title": {"text": unit}},
        shapes=[] if start is None else [level(start, tone="soft")],
        showlegend=len(traces) > 1,
        hovermode="x unified",
    )


def drawdown(times: Times, values: npt.ArrayLike, *, unit: str = "", as_ratio: bool = False) -> Figure:
    """How far the curve stood below its highest value so far, 0 at most; `as_ratio`: as a share of it."""
    curve = np.asarray(values, dtype=np.float64)
    highest = np.maximum.accumulate(curve)
    below = curve / highest - 1 if as_ratio else curve - highest
    return figure(
        [line(times, below, name="Drawdown", tone="bad", fill="tozeroy")],
        xaxis={"type": "date"},
        yaxis={"title": {"text": unit}, **({"tickformat": ".0%"} if as_ratio else {})},
        showlegend=False,
    )

"""Bars with their intervals, shares of a whole, a grid of numbers, and how true stated probabilities were."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from research.charts.figure import Figure, figure, level, numbers


def bars(
    labels: Sequence[str],
    values: npt.ArrayLike,
    *,
    low: npt.ArrayLike | None = None,
    high: npt.ArrayLike | None = None,
    unit: str = "",
    tickformat: str = "",
    tone: str = "",
) -> Figure:
    """One horizontal bar per label, the first on top, with the interval [low, high] where both are finite.

    Without a `tone` gains are coloured as good, losses as bad.
    """
    heights = np.asarray(values, dtype=np.float64)
    trace: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "x": numbers(heights),
        "y": list(labels),
        "meta": {"tone": tone} if tone else {"tones": ["good" if value > 0 else "bad" for value in heights]},
        "hovertemplate": "%{y}: %{x}<extra></extra>",
    }
    if low is not None and high is not None:
        below, above = heights - np.asarray(low, dtype=np.float64), np.asarray(high) - heights
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": numbers(above),
            "arrayminus": numbers(below),
            "thickness": 1.5,
        }
    return figure(
        [trace],
        xaxis={"title": {"text": unit}, "tickformat": tickformat},
        yaxis={"autorange": "reversed", "type": "category"},
        showlegend=False,
        shapes=[level(0.0, tone="soft", dash="solid", axis="x")],
    )


def pie(labels: Sequence[str], values: npt.ArrayLike) -> Figure:
    """Shares of a whole, in the order given; ValueError for a negative share, which no pie can show."""
    shares = np.asarray(values, dtype=np.float64)
    if (shares < 0).any():
        raise ValueError("a pie shows shares of a whole: none may be negative")
    trace = {
        "type": "pie",
        "labels": list(labels),
        "values": numbers(shares),
        "hole": 0.45,
        "sort": False,
        "textinfo": "label+percent",
    }
    return figure([trace], showlegend=False)


def heat_map(
    columns: Sequence[str],
    rows: Sequence[str],
    values: npt.ArrayLike,
    *,
    unit: str = "",
    tickformat: str = "",
    middle: float | None = 0.0,
) -> Figure:
    """A cell per row and column, `values` of that shape; NaN is an empty cell.

    `middle` parts bad from good; None: one colour from little to much.
    """
    grid = np.asarray(values, dtype=np.float64)
    if grid.shape != (len(rows), len(columns)):
        raise ValueError(f"values are {grid.shape}, not {len(rows)} rows of {len(columns)} columns")
    trace = {
        "type": "heatmap",
        "x": list(columns),
        "y": list(rows),
        "z": [numbers(row) for row in grid],
        "texttemplate": f"%{{z:{tickformat}}}" if tickformat else "%{z:.3~g}",
        "hovertemplate": "%{y} %{x}: %{z}<extra></extra>",
        "colorbar": {"title": {"text": unit}, "thickness": 10, "tickformat": tickformat},
        "xgap": 1,
        "ygap": 1,
        **({"meta": {"tone": "series-1"}} if middle is None else {"zmid": middle}),
    }
    return figure(
        [trace],
        xaxis={"type": "category", "showgrid": False},
        yaxis={"autorange": "reversed", "type": "category", "showgrid": False},
    )


def reliability(
    stated: npt.ArrayLike,
    observed: npt.ArrayLike,
    counts: Sequence[int],
    *,
    low: npt.ArrayLike | None = None,
    high: npt.ArrayLike | None = None,
) -> Figure:
    """Stated probability against observed frequency, a point per bin; on the diagonal they agree."""
    seen = np.asarray(observed, dtype=np.float64)
    points = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "Observed",
        "x": numbers(stated),
        "y": numbers(seen),
        "text": [f"n = {count}" for count in counts],
        "hovertemplate": "stated %{x:.0%}, observed %{y:.0%}<br>%{text}<extra></extra>",
        "marker": {"size": 8},
        "meta": {"tone": "series-1"},
    }
    if low is not None and high is not None:
        above, below = np.asarray(high, dtype=np.float64) - seen, seen - np.asarray(low, dtype=np.float64)
        points["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": numbers(above),
            "arrayminus": numbers(below),
        }
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "name": "As stated",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"dash": "dot", "width": 1},
        "meta": {"tone": "soft"},
        "hoverinfo": "skip",
    }
    return figure(
        [diagonal, points],
        xaxis={"title": {"text": "Stated"}, "tickformat": ".0%", "range": [0, 1]},
        yaxis={"title": {"text": "Observed"}, "tickformat": ".0%", "range": [0, 1]},
    )

"""The figures of a search: its map over two parameters, and what was chosen by the past alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from research.charts.equity import equity
from research.charts.figure import Figure
from research.charts.shares import heat_map

if TYPE_CHECKING:
    from research.engine.overfitting import SensitivityMap  # compiled code, not for every page


def sensitivity_figure(found: "SensitivityMap", x: str, y: str) -> Figure:
    """Median Sharpe ratio by two parameters, the lowest values at the lower left."""
    figure = heat_map(
        [f"{value:g}" for value in found.x_values],
        [f"{value:g}" for value in found.y_values],
        found.score,
        unit="Sharpe",
        tickformat=".2f",
    )
    figure["layout"]["xaxis"]["title"] = {"text": x.replace("_", " ")}
    figure["layout"]["yaxis"] |= {"title": {"text": y.replace("_", " ")}, "autorange": True}
    return figure


def walk_forward_figure(arrays: Mapping[str, npt.NDArray[Any]]) -> Figure:
    """Growth of 1 over the tests: what the past chose, and what was the best in hindsight."""
    tested = np.isin(arrays["days"], arrays["tested_days"])
    curves = {
        "Chosen by the past": np.cumprod(1 + arrays["tested"]),
        "Best in hindsight": np.cumprod(1 + arrays["best"][tested]),
    }
    return equity(arrays["tested_days"], curves, start=1.0)

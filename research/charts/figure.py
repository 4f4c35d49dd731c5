"""What every figure is made of. No colour: a trace names a tone of static/copilot/tokens.css, charts.js paints it.

A figure is a dict that JSON can hold: times are ISO strings in UTC, what is not finite is None.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Figure = dict[str, Any]
Times = npt.ArrayLike  # UTC milliseconds, or numpy's datetime64


def figure(data: Sequence[Mapping[str, Any]], **layout: Any) -> Figure:
    return {"data": list(data), "layout": {"hovermode": "closest", **layout}}


def instants(times: Times) -> list[str]:
    """ISO 8601 without a zone, as Plotly's date axis reads it: UTC."""
    values = np.asarray(times)
    if values.dtype.kind != "M":
        values = values.astype("int64").astype("datetime64[ms]")
    return [str(text) for text in np.datetime_as_string(values, unit="s")]


def numbers(values: npt.ArrayLike) -> list[float | None]:
    """JSON knows neither NaN nor infinity; both leave a gap."""
    array = np.asarray(values, dtype=np.float64)
    return [float(value) if np.isfinite(value) else None for value in array]


def line(times: Times, values: npt.ArrayLike, *, name: str, tone: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": instants(times),
        "y": numbers(values),
        "meta": {"tone": tone},
        **more,
    }


def level(value: float, *, tone: str, dash: str = "dot", axis: str = "y") -> dict[str, Any]:
    """A straight line across the whole figure, at a value of the given axis."""
    across = {"x0": 0, "x1": 1, "xref": "paper", "y0": value, "y1": value, "yref": "y"}
    if axis == "x":
        across = {"y0": 0, "y1": 1, "yref": "paper", "x0": value, "x1": value, "xref": "x"}
    return {"type": "line", "name": tone, "line": {"width": 1, "dash": dash}, "layer": "below", **across}

"""The selector's figures: how true its confidences were, what it mistook for what, what it looks at, what has moved.

A figure is a dict that JSON can hold; a trace names a tone of static/copilot/tokens.css, charts.js paints it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Figure = dict[str, Any]


def reliability_figure(bins: Sequence[tuple[float, float, int]]) -> Figure:
    """Promised probability against seen frequency, (promised, seen, n) a point; on the diagonal they agree."""
    points = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "Seen",
        "x": [promised for promised, _, _ in bins],
        "y": [seen for _, seen, _ in bins],
        "text": [f"n = {count}" for _, _, count in bins],
        "hovertemplate": "promised %{x:.0%}, seen %{y:.0%}<br>%{text}<extra></extra>",
        "marker": {"size": 8},
        "meta": {"tone": "series-1"},
    }
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "name": "As promised",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"dash": "dot", "width": 1},
        "hoverinfo": "skip",
        "meta": {"tone": "soft"},
    }
    axis = {"range": [0, 1], "tickformat": ".0%"}
    return _figure(
        [diagonal, points],
        xaxis=axis | {"title": {"text": "Promised"}},
        yaxis=axis | {"title": {"text": "Seen"}},
    )


def confusion_figure(table: Sequence[Sequence[int]], groups: Sequence[str]) -> Figure:
    """Shares of each row: of the times at which a group paid best, how often each was ranked first."""
    titles = [group.replace("_", " ") for group in groups]
    shares = [[count / sum(row) if sum(row) else None for count in row] for row in table]
    cells = {
        "type": "heatmap",
        "x": titles,
        "y": titles,
        "z": shares,
        "text": [[str(count) for count in row] for row in table],
        "texttemplate": "%{text}",
        "hovertemplate": "%{y} paid best, %{x} ranked first: %{z:.0%} (%{text})<extra></extra>",
        "colorbar": {"thickness": 10, "tickformat": ".0%"},
        "xgap": 1,
        "ygap": 1,
        "meta": {"tone": "series-1"},
    }
    return _figure(
        [cells],
        xaxis={"type": "category", "showgrid": False, "title": {"text": "Ranked first"}},
        yaxis={
            "autorange": "reversed",
            "type": "category",
            "showgrid": False,
            "title": {"text": "Paid best"},
        },
    )


def bars_figure(values: Mapping[str, float | None], *, unit: str, limit: float | None = None) -> Figure:
    """A horizontal bar a name, the largest on top; above `limit`, if any, it is coloured as bad."""
    known = sorted(
        ((name, each) for name, each in values.items() if each is not None), key=lambda pair: -pair[1]
    )
    tones = ["bad" if limit is not None and each > limit else "series-1" for _, each in known]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [each for _, each in known],
        "y": [name.replace("_", " ") for name, _ in known],
        "meta": {"tones": tones},
        "hovertemplate": "%{y}: %{x:.3f}<extra></extra>",
    }
    return _figure(
        [trace],
        xaxis={"title": {"text": unit}},
        yaxis={"autorange": "reversed", "type": "category"},
        showlegend=False,
    )


def _figure(data: Sequence[Mapping[str, Any]], **layout: Any) -> Figure:
    return {"data": list(data), "layout": {"hovermode": "closest", **layout}}

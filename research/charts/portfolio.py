"""The figures of a portfolio: frontier, weights, risk, correlation."""

from typing import Any

from research.charts.figure import Figure, figure
from research.charts.shares import bars, heat_map, pie

Report = dict[str, Any]


def frontier_figure(report: Report) -> Figure:
    """Volatility against expected return, both of a year."""
    frontier, assets = report["frontier"], report["assets"]
    return figure(
        [
            {
                "type": "scatter",
                "mode": "lines",
                "name": "Efficient frontier",
                "x": [each[0] for each in frontier],
                "y": [each[1] for each in frontier],
                "meta": {"tone": "series-1"},
            },
            {
                "type": "scatter",
                "mode": "markers+text",
                "name": "Instruments",
                "x": [each[0] for each in assets],
                "y": [each[1] for each in assets],
                "text": [name.split(":")[-1] for name in report["instruments"]],
                "textposition": "top center",
                "marker": {"size": 8},
                "meta": {"tone": "series-2"},
            },
            {
                "type": "scatter",
                "mode": "markers",
                "name": "The chosen weights",
                "x": [report["volatility"]],
                "y": [report["expected_return"]],
                "marker": {"size": 14, "symbol": "diamond"},
                "meta": {"tone": "good"},
            },
        ],
        xaxis={"title": {"text": "Volatility a year"}, "tickformat": ".0%"},
        yaxis={"title": {"text": "Expected return a year"}, "tickformat": ".0%"},
    )


def frontiers_figure(reports: dict[str, Report]) -> Figure:
    """The frontiers of several portfolios and the weights that were chosen on each."""
    traces: list[dict[str, Any]] = []
    for number, (title, report) in enumerate(reports.items(), start=1):
        tone = {"tone": f"series-{number}"}
        x, y = ([each[place] for each in report["frontier"]] for place in (0, 1))
        traces.append({"type": "scatter", "mode": "lines", "name": title, "x": x, "y": y, "meta": tone})
        chosen = {"x": [report["volatility"]], "y": [report["expected_return"]], "showlegend": False}
        mark = {"marker": {"size": 14, "symbol": "diamond"}, "name": title, "meta": tone}
        traces.append({"type": "scatter", "mode": "markers", **chosen, **mark})
    return figure(
        traces,
        xaxis={"title": {"text": "Volatility a year"}, "tickformat": ".0%"},
        yaxis={"title": {"text": "Expected return a year"}, "tickformat": ".0%"},
    )


def weights_figure(report: Report) -> Figure:
    """A pie, or bars where a weight is short."""
    if min(report["weights"]) < 0:
        return bars(report["instruments"], report["weights"], tickformat=".0%", tone="series-1")
    return pie(report["instruments"], report["weights"])


def risk_figure(report: Report) -> Figure:
    return bars(report["instruments"], report["risk"], tickformat=".0%", tone="series-2")


def correlation_figure(report: Report) -> Figure:
    names = [name.split(":")[-1] for name in report["instruments"]]
    return heat_map(names, names, report["correlation"], tickformat=".2f")

"""Readings of one instrument as points, and the mood that decisions knew as a line."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from research.charts.figure import Figure, figure, instants, level, numbers
from signals.engine.moment import milliseconds

Points = Sequence[tuple[datetime, float, str]]  # when, score, what was cited


def sentiment(
    readings: Mapping[str, Points], hours: Sequence[datetime], moods: Sequence[float | None], *, veto: float
) -> Figure:
    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": source.replace("_", " "),
            "x": instants([milliseconds(moment) for moment, _, _ in points]),
            "y": numbers([score for _, score, _ in points]),
            "text": [text for _, _, text in points],
            "hovertemplate": "%{y:+.2f} %{text}<extra>%{fullData.name}</extra>",
            "marker": {"size": 6},
            "meta": {"tone": f"series-{number + 2}"},
        }
        for number, (source, points) in enumerate(readings.items())
    ]
    mood = {
        "type": "scatter",
        "mode": "lines",
        "name": "mood that a close knew",
        "x": instants([milliseconds(hour) for hour in hours]),
        "y": [None if each is None else round(each, 4) for each in moods],
        "connectgaps": False,
        "line": {"width": 2},
        "meta": {"tone": "series-1"},
    }
    return figure(
        [mood, *traces],
        xaxis={"type": "date"},
        yaxis={"range": [-1.05, 1.05], "title": {"text": "-1 bearish, 1 bullish"}},
        shapes=[
            level(0.0, tone="soft"),
            level(veto, tone="soft", dash="dash"),
            level(-veto, tone="soft", dash="dash"),
        ],
        showlegend=True,
    )

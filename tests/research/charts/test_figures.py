"""Figures are JSON that Plotly's own schema accepts, with gaps where a number is missing."""

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from research.charts.candles import Trade, candles
from research.charts.equity import drawdown, equity
from research.charts.figure import instants, numbers
from research.charts.shares import bars, heat_map, pie, reliability
from signals.engine.candle import OHLCV

HOUR = 3_600_000
TIMES = np.arange(4, dtype=np.int64) * HOUR
BARS = OHLCV(TIMES, *(np.array([1.0, 2.0, 3.0, 4.0]) for _ in range(5)))
OPEN = Trade("long", "long", 0, 1.0, 0.5, 2.0, until=2 * HOUR)
ENDED = Trade(
    "short", "short", HOUR, 3.0, 4.0, None, 3 * HOUR, exit_time=3 * HOUR, exit_price=1.0, is_win=True
)
FIGURES = {
    "equity": equity(TIMES, {"ours": [0, 1, np.nan, 2], "theirs": [0, 0, 0, 1]}, unit="R"),
    "drawdown": drawdown(TIMES, [1.0, 2.0, 1.0, 3.0], as_ratio=True),
    "candles": candles(BARS, [OPEN, ENDED]),
    "candles alone": candles(BARS),
    "bars": bars(["rsi", "macd"], [0.5, -0.2], low=[0.1, np.nan], high=[0.9, np.nan], unit="R"),
    "pie": pie(["BTC", "ETH"], [0.25, 0.75]),
    "heat map": heat_map(["Jan", "Feb"], ["2025", "2026"], [[0.1, np.nan], [-0.2, 0.3]], tickformat=".0%"),
    "reliability": reliability([0.2, 0.8], [0.25, 0.7], [10, 20], low=[0.1, 0.5], high=[0.4, 0.9]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_strict_json_and_valid_by_plotlys_schema(name: str) -> None:
    text = json.dumps(FIGURES[name], allow_nan=False)

    drawn = go.Figure(json.loads(text))

    assert len(drawn.data) == len(FIGURES[name]["data"]) > 0


@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_holds_a_colour_of_its_own(name: str) -> None:
    def keys(part: Any) -> set[str]:
        if isinstance(part, dict):
            return set(part) | {key for value in part.values() for key in keys(value)}
        return {key for each in part for key in keys(each)} if isinstance(part, list) else set()

    assert not {key for key in keys(FIGURES[name]) if key in {"color", "colors", "fillcolor", "colorscale"}}


def test_times_are_utc_and_numbers_that_are_none_leave_a_gap() -> None:
    assert instants([0, 1_700_000_000_000]) == ["1970-01-01T00:00:00", "2023-11-14T22:13:20"]
    assert instants(np.array(["2024-02-29T12:00"], dtype="datetime64[s]")) == ["2024-02-29T12:00:00"]
    assert numbers([1, np.nan, np.inf, -np.inf]) == [1.0, None, None, None]


def test_drawdown_is_the_distance_from_the_highest_so_far() -> None:
    (trace,) = drawdown(TIMES, [1.0, 4.0, 3.0, 5.0])["data"]
    assert trace["y"] == [0.0, 0.0, -1.0, 0.0]
    (ratio,) = drawdown(TIMES, [1.0, 4.0, 3.0, 5.0], as_ratio=True)["data"]
    assert ratio["y"] == [0.0, 0.0, -0.25, 0.0]


def test_trade_without_target_or_exit_draws_neither() -> None:
    traces = {trace["name"]: trace for trace in candles(BARS, [OPEN, ENDED])["data"]}

    assert traces["Entry"]["marker"]["symbol"] == ["triangle-up", "triangle-down"]
    assert traces["Target"]["y"] == [2.0, 2.0, None]
    assert traces["Stop"]["y"] == [0.5, 0.5, None, 4.0, 4.0, None]
    assert traces["Exit"]["y"] == [1.0]
    assert traces["Exit"]["meta"]["tones"] == ["good"]


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        pie(["a", "b"], [1.0, -0.1])
    with pytest.raises(ValueError, match="not 1 rows of 2 columns"):
        heat_map(["a", "b"], ["c"], [[1.0]])

"""Candles with what happened on them: entries, stops, targets, exits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from research.charts.figure import Figure, figure, instants, numbers
from signals.engine.candle import OHLCV

SYMBOLS = {"long": "triangle-up", "short": "triangle-down"}


@dataclass(frozen=True)
class Trade:
    """One signal or trade on the chart. Times are UTC milliseconds; `exit_time` and `exit_price` None: open."""

    title: str
    direction: str
    entry_time: int
    entry_price: float
    stop: float
    target: float | None
    until: int
    exit_time: int | None = None
    exit_price: float | None = None
    exit_words: str = ""
    is_win: bool = False


def candles(bars: OHLCV, trades: Sequence[Trade] = (), *, name: str = "Price") -> Figure:
    """Candlesticks over volume; per trade its entry, the lines of stop and target for its life, and its exit."""
    when = instants(bars.open_time)
    price = {
        "type": "candlestick",
        "name": name,
        "x": when,
        **{column: numbers(getattr(bars, column)) for column in ("open", "high", "low", "close")},
        "showlegend": False,
    }
    volume = {
        "type": "bar",
        "name": "Volume",
        "x": when,
        "y": numbers(bars.volume),
        "yaxis": "y2",
        "meta": {"tone": "line"},
        "showlegend": False,
        "hoverinfo": "y",
    }
    return figure(
        [volume, price, *_levels(trades), *_marks(trades)],
        xaxis={"type": "date", "rangeslider": {"visible": False}, "anchor": "y2"},
        yaxis={"domain": [0.18, 1], "side": "right", "tickformat": ",~g"},
        yaxis2={"domain": [0, 0.14], "showticklabels": False, "showgrid": False},
        bargap=0.3,
    )


def _levels(trades: Sequence[Trade]) -> list[dict[str, Any]]:
    """Stops and targets, one trace each for all trades: a gap (None) parts one trade from the next."""
    found = []
    for name, tone, levels in (
        ("Stop", "bad", [(trade, trade.stop) for trade in trades]),
        ("Target", "good", [(trade, trade.target) for trade in trades if trade.target is not None]),
    ):
        times: list[str | None] = []
        values: list[float | None] = []
        for trade, price in levels:
            times += [*instants([trade.entry_time, trade.until]), None]
            values += [price, price, None]
        found.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": times,
                "y": values,
                "line": {"width": 1.5, "dash": "dash"},
                "meta": {"tone": tone},
                "visible": True if values else "legendonly",
            }
        )
    return found


def _marks(trades: Sequence[Trade]) -> list[dict[str, Any]]:
    ended = [trade for trade in trades if trade.exit_time is not None]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "Entry",
            "x": instants([trade.entry_time for trade in trades]),
            "y": numbers([trade.entry_price for trade in trades]),
            "text": [trade.title for trade in trades],
            "hovertemplate": "%{text}<br>entry %{y}<extra></extra>",
            "marker": {"size": 11, "symbol": [SYMBOLS[trade.direction] for trade in trades]},
            "meta": {"tone": "series-1"},
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "Exit",
            "x": instants([trade.exit_time for trade in ended if trade.exit_time is not None]),
            "y": numbers([trade.exit_price for trade in ended if trade.exit_price is not None]),
            "text": [trade.exit_words for trade in ended],
            "hovertemplate": "%{text}<br>exit %{y}<extra></extra>",
            "marker": {"size": 9, "symbol": "x"},
            "meta": {"tone": "series-1", "tones": ["good" if trade.is_win else "bad" for trade in ended]},
        },
    ]

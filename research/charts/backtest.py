"""The figures of a backtest: equity against 1/N, drawdown, months, trades on candles."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from research.charts.candles import Trade, candles
from research.charts.equity import drawdown, equity
from research.charts.figure import Figure, figure, instants
from research.charts.shares import heat_map
from signals.engine.candle import OHLCV

Arrays = Mapping[str, npt.NDArray[Any]]
POINTS = 1500
TIMELINE_TRADES = 20
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def thinned(rows: int) -> npt.NDArray[np.intp]:
    """So many rows as a screen can show, the last among them."""
    return (
        np.unique(np.linspace(0, rows - 1, min(rows, POINTS)).astype(np.intp)) if rows else np.zeros(0, int)
    )


def equity_figure(arrays: Arrays, cash: float) -> Figure:
    rows = thinned(len(arrays["times"]))
    curves = {
        "After costs": arrays["equity"][rows],
        "1/N bought and held": arrays["held"][rows],
        "Best path inside bars": arrays["optimistic"][rows],
    }
    return equity(arrays["times"][rows], curves, start=cash)


def drawdown_figure(arrays: Arrays) -> Figure:
    rows = thinned(len(arrays["times"]))
    highest = np.maximum.accumulate(arrays["equity"])
    return drawdown(arrays["times"][rows], (arrays["equity"] / highest)[rows], as_ratio=True)


def months_figure(years: list[int], months: list[list[float | None]]) -> Figure:
    values = [[np.nan if value is None else value for value in row] for row in months]
    return heat_map(
        MONTHS, [str(year) for year in years], np.array(values).reshape(len(years), 12), tickformat=".1%"
    )


def compared_figure(runs: Mapping[str, Arrays]) -> Figure:
    """Equity of each run as a multiple of its first value, on the bars that all have seen."""
    every = np.unique(np.concatenate([arrays["times"] for arrays in runs.values()]))
    rows = every[thinned(len(every))]
    curves = {}
    for number, (title, arrays) in enumerate(runs.items(), start=1):
        place = np.searchsorted(arrays["times"], rows, side="right") - 1
        growth = arrays["equity"] / arrays["equity"][0]
        curves[f"{number}. {title}"] = np.where(place < 0, np.nan, growth[np.maximum(place, 0)])
    return equity(rows, curves, start=1.0)


def trades_figure(bars: OHLCV, trades: npt.NDArray[np.void], *, name: str, first: int) -> Figure:
    """Trades that were entered from `first` (UTC ms) on."""
    shown = []
    last = int(bars.open_time[-1]) if len(bars) else first
    for trade in trades[trades["entered_at"] >= first]:
        is_open = trade["exited_at"] < 0
        shown.append(
            Trade(
                title=f"{'Long' if trade['side'] > 0 else 'Short'} {trade['quantity']:g}",
                direction="long" if trade["side"] > 0 else "short",
                entry_time=int(trade["entered_at"]),
                entry_price=float(trade["entry_price"]),
                stop=np.nan,
                target=None,
                until=last if is_open else int(trade["exited_at"]),
                exit_time=None if is_open else int(trade["exited_at"]),
                exit_price=None if is_open else float(trade["exit_price"]),
                exit_words=f"{trade['net_profit']:+.2f} after costs",
                is_win=bool(trade["net_profit"] > 0),
            )
        )
    found = candles(bars, [], name=name)
    marked = candles(bars, shown, name=name)
    # A backtest keeps no stops: only entries and exits are drawn.
    found["data"] = [trace for trace in marked["data"] if trace["name"] not in {"Stop", "Target"}]
    return found


def timeline_figure(trades: npt.NDArray[np.void], names: list[str], *, bar_ms: int) -> Figure:
    """The newest trades as lines: decided at the close of a bar, entered at the next open, left in a later bar.

    A decision and its entry share a moment: its mark stands at the opening of the bar that it read last.
    """
    chosen = trades[np.argsort(-trades["entered_at"], kind="stable")][:TIMELINE_TRADES]
    chosen = chosen[chosen["exited_at"] >= 0][::-1]
    rows = [
        f"{names[int(trade['instrument'])]} {instants([int(trade['entered_at'])])[0][:16]}"
        for trade in chosen
    ]
    spans: list[str | None] = []
    places: list[str | None] = []
    for row, trade in zip(rows, chosen, strict=True):
        spans += [*instants([int(trade["entered_at"]) - bar_ms, int(trade["exited_at"])]), None]
        places += [row, row, None]
    marks = (
        ("Decided on the bar of", chosen["entered_at"] - bar_ms, "circle-open", "soft"),
        ("Entered", chosen["entered_at"], "triangle-right", "series-1"),
        ("Left", chosen["exited_at"], "x", "series-2"),
    )
    line = {
        "type": "scatter", "mode": "lines", "name": "Held", "x": spans, "y": places, "meta": {"tone": "soft"},
        "line": {"width": 2}, "hoverinfo": "skip",
    }  # fmt: skip
    points = [
        {
            "type": "scatter", "mode": "markers", "name": title, "x": instants(moments), "y": rows,
            "marker": {"symbol": symbol, "size": 9}, "meta": {"tone": tone},
        }
        for title, moments, symbol, tone in marks
    ]  # fmt: skip
    return figure([line, *points], xaxis={"type": "date"}, yaxis={"type": "category", "automargin": True})

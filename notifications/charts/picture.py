"""The picture of a signal: candles with its levels, and below them the indicator that decided.

Drawn with matplotlib's objects and no pyplot, which keeps every figure for ever. One picture serves light and dark
phones: it brings its own ground, mid-dark, and colours that stand on it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from notifications.charts.indicators import Indicator, indicator_of
from signals.engine.candle import OHLCV, FloatArray
from signals.engine.direction import Direction
from signals.engine.timeframe import Timeframe

SIDE_INCHES, DOTS_PER_INCH = 7.2, 150  # 1080 x 1080: a phone's width, which Telegram does not scale
SHOWN_BARS = 72
ROOM_BARS = 10  # right of the last candle, for the levels' zones
GROUND, PANEL, LINE, INK, SOFT = "#18202b", "#1e2835", "#334155", "#f1f5f9", "#a9b6c8"
RISING, FALLING, ENTRY, STOP, TARGET = "#2fbf8f", "#f06a6a", "#f8fafc", "#ff5c5c", "#35d39a"
INDICATOR_COLOURS = ("#f5b642", "#6ba3ff", "#c792ea")


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """What is drawn. `candles` end with the decision's bar.

    `deciding` are the candles on which the deciding strategy looked, of `deciding_timeframe`: the indicator is
    worked out on all of them and shown for the last SHOWN_BARS.
    """

    symbol: str
    exchange: str
    timeframe: Timeframe
    direction: Direction
    entry: float
    stop: float
    target: float | None
    labels: tuple[
        str, str, str
    ]  # entry, stop and target as the message writes them, the last empty without one
    decided_at: datetime
    is_simulated: bool
    strategy: str
    candles: OHLCV
    deciding: OHLCV
    deciding_timeframe: Timeframe


def draw(chart: Chart) -> bytes:
    """A PNG of 1080 x 1080. ValueError without candles."""
    if len(chart.candles) == 0 or len(chart.deciding) == 0:
        raise ValueError(f"no candles of {chart.symbol} to draw")
    figure = Figure(figsize=(SIDE_INCHES, SIDE_INCHES), dpi=DOTS_PER_INCH, facecolor=GROUND)
    FigureCanvasAgg(figure)
    prices = figure.add_axes((0.03, 0.34, 0.80, 0.52))
    panel = figure.add_axes((0.03, 0.07, 0.80, 0.17))
    indicator = indicator_of(chart.strategy, chart.deciding)
    _title(figure, chart)
    _candles(prices, chart.candles)
    if chart.deciding_timeframe is chart.timeframe:
        _lines_over(prices, indicator)
    prices.set_yticklabels([])  # the levels say what matters, and there is no room for both
    _levels(prices, chart)
    _times(prices, chart.candles.open_time)
    _panel(panel, indicator, chart)
    if chart.is_simulated:
        _mark_as_simulated(figure)
    stored = BytesIO()
    figure.savefig(stored, format="png")
    return stored.getvalue()


def _title(figure: Figure, chart: Chart) -> None:
    word, colour = ("LONG", RISING) if chart.direction is Direction.LONG else ("SHORT", FALLING)
    # A dollar sign in a symbol is no formula.
    title = figure.text(
        0.03, 0.95, f"{word} {chart.symbol}", color=colour, size=22, weight="bold", va="center"
    )
    title.set_parse_math(False)
    details = f"{chart.timeframe} · {chart.exchange} · closed {chart.decided_at:%Y-%m-%d %H:%M} UTC"
    figure.text(0.03, 0.898, details, color=SOFT, size=14.5, va="center").set_parse_math(False)


def _mark_as_simulated(figure: Figure) -> None:
    figure.text(
        0.43, 0.6, "SIMULATED", color=INK, alpha=0.10, size=54, weight="bold", ha="center", va="center"
    )
    figure.text(
        0.97,
        0.95,
        "SIMULATED",
        color=GROUND,
        size=12,
        weight="bold",
        ha="right",
        va="center",
        bbox={"facecolor": "#f5b642", "edgecolor": "none", "boxstyle": "round,pad=0.35"},
    )


def _last(values: FloatArray) -> FloatArray:
    return values[-SHOWN_BARS:]


def _candles(axes: Axes, candles: OHLCV) -> None:
    open_, close = _last(candles.open), _last(candles.close)
    row = np.arange(len(close))
    colours = np.where(close >= open_, RISING, FALLING).tolist()
    axes.vlines(row, _last(candles.low), _last(candles.high), colors=colours, linewidth=1.2, zorder=2)
    # A bar that closes where it opened still shows a line.
    least = 0.0015 * (candles.high.max() - candles.low.min() or candles.high.max())
    height = np.maximum(np.abs(close - open_), least)
    axes.bar(row, height, bottom=np.minimum(open_, close), width=0.72, color=colours, zorder=3)
    _frame(axes)


def _lines_over(axes: Axes, indicator: Indicator) -> None:
    for line, colour in zip(indicator.over, INDICATOR_COLOURS, strict=False):
        shown = _last(line.values)
        axes.plot(np.arange(len(shown)), shown, color=colour, linewidth=1.5, zorder=4, label=line.label)
    if indicator.over:
        _legend(axes)


def _levels(axes: Axes, chart: Chart) -> None:
    last = min(len(chart.candles), SHOWN_BARS) - 1
    right = last + ROOM_BARS
    axes.set_xlim(-1, right)
    target = [] if chart.target is None else [chart.target]
    for level, colour in ((chart.stop, STOP), *((each, TARGET) for each in target)):
        axes.fill_between([last, right], chart.entry, level, color=colour, alpha=0.16, linewidth=0, zorder=1)
    named = [("Entry", chart.entry, ENTRY), ("Stop", chart.stop, STOP)]
    named += [("Target", each, TARGET) for each in target]
    texts = [f"{name}\n{label}" for (name, _, _), label in zip(named, chart.labels, strict=False)]
    low, high = axes.get_ylim()
    low, high = min(low, chart.stop, *target), max(high, chart.stop, chart.entry, *target)
    axes.set_ylim(low - 0.04 * (high - low), high + 0.04 * (high - low))
    for text, (_, level, colour) in zip(texts, named, strict=True):
        axes.plot([last, right], [level, level], color=colour, linewidth=2.2, zorder=5)
        axes.axhline(level, color=colour, linewidth=0.8, linestyle=(0, (4, 4)), alpha=0.55, zorder=1)
        axes.annotate(
            text,
            (1.015, level),
            xycoords=("axes fraction", "data"),
            color=colour,
            size=12,
            weight="bold",
            va="center",
            annotation_clip=False,
        )


def _panel(axes: Axes, indicator: Indicator, chart: Chart) -> None:
    shown = min(len(chart.deciding), SHOWN_BARS)
    if indicator.bars is not None:
        bars = np.nan_to_num(_last(indicator.bars))
        if indicator.lines or (bars < 0).any():
            colours = np.where(bars >= 0, RISING, FALLING).tolist()
        else:
            colours = [INDICATOR_COLOURS[1]] * shown
        axes.bar(np.arange(shown), bars, width=0.72, color=colours, alpha=0.8)
    for line, colour in zip(indicator.lines, INDICATOR_COLOURS, strict=False):
        axes.plot(np.arange(shown), _last(line.values), color=colour, linewidth=2, label=line.label)
    for bound in indicator.bounds:
        axes.axhline(bound, color=SOFT, linewidth=1, linestyle=(0, (4, 4)))
    axes.set_xlim(-1, shown - 1 + ROOM_BARS)
    axes.set_title(
        f"{indicator.title} · {chart.deciding_timeframe}", loc="left", color=INK, size=14, parse_math=False
    )
    _frame(axes)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
    if len(indicator.lines) > 1:
        _legend(axes)
    _times(axes, chart.deciding.open_time)


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="upper left",
        fontsize=12,
        labelcolor=INK,
        facecolor=PANEL,
        edgecolor="none",
        framealpha=0.8,
        ncols=3,
    )


def _frame(axes: Axes) -> None:
    axes.set_facecolor(PANEL)
    axes.yaxis.tick_right()
    axes.tick_params(colors=SOFT, labelsize=12, length=0)
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def _times(axes: Axes, open_time: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """Three instants; days where the bars span more than a week, else hours."""
    shown = open_time[-SHOWN_BARS:]
    rows = np.unique(np.linspace(0, len(shown) - 1, 3).round().astype(int))
    instants = [datetime.fromtimestamp(int(shown[row]) / 1000, UTC) for row in rows]
    is_long = int(shown[-1]) - int(shown[0]) > 7 * Timeframe.D1.milliseconds
    axes.set_xticks(rows, [f"{moment:%d %b}" if is_long else f"{moment:%d %b %H:%M}" for moment in instants])
    axes.get_xticklabels()[0].set_horizontalalignment("left")

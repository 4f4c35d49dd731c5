"""The picture says what the signal says, judged by its pixels, and the panel by what the strategies say."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from notifications.charts.indicators import indicator_of
from notifications.charts.picture import STOP, TARGET, Chart, draw
from signals.engine.candle import OHLCV
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext, Direction
from signals.engine.timeframe import Timeframe
from tests.factories import make_series, tail

START = datetime(2026, 1, 1, tzinfo=UTC)
SERIES = make_series(bars=500, start=START, seed=3)
ENTRY = float(SERIES.close[-1])
CHART = Chart(
    symbol="BTC/USDT",
    exchange="Binance",
    timeframe=Timeframe.H1,
    direction=Direction.LONG,
    entry=ENTRY,
    stop=ENTRY * 0.97,
    target=ENTRY * 1.045,
    labels=("131.65", "127.70", "137.57"),
    decided_at=datetime(2026, 1, 21, 20, tzinfo=UTC),
    is_simulated=False,
    strategy="rsi",
    candles=SERIES,
    deciding=SERIES,
    deciding_timeframe=Timeframe.H1,
)


def pixels(png: bytes) -> "np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]":
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def height_of(png: bytes, colour: str) -> float:
    """Mean row of the level's line: the part of that colour right of the last candle."""
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    right = pixels(png)[150:720, 790:890]
    rows = np.nonzero((np.abs(right.astype(int) - wanted).max(axis=2) <= 2).sum(axis=1) > 80)[0]
    return float(rows.mean())


@pytest.mark.parametrize(("direction", "sign"), [(Direction.LONG, 1), (Direction.SHORT, -1)])
def test_target_and_stop_stand_where_they_belong(direction: Direction, sign: int) -> None:
    chart = replace(
        CHART, direction=direction, stop=ENTRY * (1 - 0.03 * sign), target=ENTRY * (1 + 0.045 * sign)
    )
    png = draw(chart)
    assert sign * (height_of(png, STOP) - height_of(png, TARGET)) > 50


def test_picture_has_a_phones_width_and_a_size_that_travels() -> None:
    png = draw(CHART)
    assert pixels(png).shape == (1080, 1080, 3)
    assert len(png) < 250_000


def test_simulated_data_are_labelled() -> None:
    badge = (slice(20, 90), slice(860, 1070))
    real, simulated = (pixels(draw(replace(CHART, is_simulated=flag)))[badge] for flag in (False, True))
    assert np.ptp(real.reshape(-1, 3), axis=0).max() == 0
    assert np.ptp(simulated.reshape(-1, 3), axis=0).max() > 100


@pytest.mark.parametrize("strategy", [*STRATEGIES, "somebody_new"])
def test_every_strategy_has_a_panel_and_can_be_drawn(strategy: str) -> None:
    indicator = indicator_of(strategy, SERIES)
    drawn = [*(line.values for line in (*indicator.lines, *indicator.over))]
    drawn += [indicator.bars] if indicator.bars is not None else []
    assert drawn
    for values in drawn:
        assert len(values) == len(SERIES)
        assert np.isfinite(values[-72:]).all()
    assert indicator.lines or indicator.bars is not None


@pytest.mark.parametrize("bars", [1, 2, 10, 30])
@pytest.mark.parametrize("strategy", ["macd", "bollinger_mean_reversion", "dca"])
def test_short_history_is_drawn_as_far_as_it_goes(strategy: str, bars: int) -> None:
    short = tail(SERIES, bars)
    assert draw(replace(CHART, strategy=strategy, candles=short, deciding=short))


def test_market_that_does_not_move_can_be_drawn() -> None:
    flat = OHLCV(SERIES.open_time, *(np.full(500, 5.0) for _ in range(4)), SERIES.volume)
    assert draw(replace(CHART, candles=flat, deciding=flat, entry=5.0, stop=4.0, target=6.0))


def test_symbol_with_dollar_signs_is_no_formula() -> None:
    assert draw(replace(CHART, symbol="$A$/\\frac{$"))


def test_without_candles_there_is_no_picture() -> None:
    with pytest.raises(ValueError, match="no candles of BTC/USDT"):
        draw(replace(CHART, candles=OHLCV(*(np.empty(0) for _ in OHLCV.__dataclass_fields__))))


@pytest.mark.parametrize(
    ("strategy", "pattern", "line"),
    [
        ("rsi", r"RSI (\d+)", lambda indicator: indicator.lines[0].values),
        ("bollinger_mean_reversion", r"after (\d+\.\d+) of its width", None),
    ],
)
def test_panel_shows_the_numbers_that_the_strategy_told(strategy: str, pattern: str, line: object) -> None:
    """What a strategy says in words about a bar is what the panel draws there."""
    told = 0
    for seed in range(1, 4):
        window = make_series(bars=500, start=START, seed=seed)
        series = STRATEGIES[strategy].evaluate(window, DecisionContext(as_of=START))
        values = indicator_of(strategy, window).lines[0].values
        for row in np.flatnonzero(series.direction):
            number = float(re.search(pattern, series.reason(row))[1])  # type: ignore[index]
            if line is not None:
                assert number == pytest.approx(values[row], abs=0.5)
            else:
                nearby = np.abs(values[max(row - 3, 0) : row + 1])
                assert number == pytest.approx(nearby.max(), abs=0.005)
            told += 1
    assert told > 3

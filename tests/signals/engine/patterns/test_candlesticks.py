from collections.abc import Callable

import numpy as np
import pytest
import talib

from signals.engine.candle import OHLCV
from signals.engine.patterns import candlesticks
from signals.engine.patterns.candlesticks import PATTERNS, detect, detect_all
from signals.engine.timeframe import Timeframe
from tests.signals.engine.gate import gallery

# Ten quiet bars (open, high, low, close) before each figure: what is long or small is judged against them.
QUIET = [(10.0, 10.6, 9.4, 10.5), (10.5, 11.1, 9.9, 10.0)] * 6


def bars(*figure: tuple[float, float, float, float]) -> OHLCV:
    columns = np.array([*QUIET, *figure]).T
    times = Timeframe.H1.milliseconds * np.arange(columns.shape[1])
    return OHLCV(times, *columns, np.ones(columns.shape[1]))


# As the books draw them: Nison 1991, chapters 4 to 7.
@pytest.mark.parametrize(
    ("name", "sign", "figure"),
    [
        ("engulfing", 100, [(10.0, 10.1, 9.0, 9.1), (9.0, 10.4, 8.9, 10.3)]),
        ("engulfing", -100, [(9.1, 10.1, 9.0, 10.0), (10.1, 10.2, 8.8, 8.9)]),
        ("harami", 100, [(12.0, 12.1, 9.9, 10.0), (10.9, 11.3, 10.8, 11.2)]),
        ("piercing", 100, [(12.0, 12.1, 9.9, 10.0), (9.5, 11.6, 9.4, 11.5)]),
        ("dark_cloud_cover", -100, [(10.0, 12.1, 9.9, 12.0), (12.5, 12.6, 10.4, 10.5)]),
        ("doji", 100, [(10.0, 10.8, 9.2, 10.0)]),
        ("dragonfly_doji", 100, [(10.0, 10.0, 8.0, 10.0)]),
        ("gravestone_doji", 100, [(10.0, 12.0, 10.0, 10.0)]),
        ("hammer", 100, [(9.5, 9.6, 8.5, 8.6), (8.2, 8.41, 7.0, 8.4)]),
        ("shooting_star", -100, [(10.0, 11.6, 9.9, 11.5), (11.8, 13.2, 11.79, 12.0)]),
        (
            "three_white_soldiers",
            100,
            [(10.0, 11.05, 9.9, 11.0), (10.6, 12.05, 10.5, 12.0), (11.6, 13.05, 11.5, 13.0)],
        ),
        (
            "three_black_crows",
            -100,
            [
                (12.0, 13.1, 11.9, 13.0),
                (12.9, 12.95, 11.0, 11.02),
                (12.0, 12.1, 10.0, 10.02),
                (11.0, 11.1, 9.0, 9.02),
            ],
        ),
        (
            "morning_star",
            100,
            [(13.0, 13.1, 10.9, 11.0), (10.5, 10.7, 10.3, 10.6), (10.8, 12.6, 10.7, 12.5)],
        ),
        (
            "evening_star",
            -100,
            [(10.0, 12.1, 9.9, 12.0), (12.5, 12.7, 12.3, 12.4), (12.2, 12.3, 10.4, 10.5)],
        ),
        ("marubozu", 100, [(10.0, 12.0, 10.0, 12.0)]),
        ("belt_hold", -100, [(12.0, 12.0, 9.9, 10.0)]),
    ],
)
def test_a_figure_as_the_books_draw_it_is_found_at_its_last_bar(
    name: str, sign: int, figure: list[tuple[float, float, float, float]]
) -> None:
    found = detect(bars(*figure), name)
    assert found[-1] == sign
    assert not found[len(QUIET) : -1].any()


def test_an_upright_figure_is_not_found_in_the_mirrored_bars() -> None:
    figure = [(10.0, 10.1, 9.0, 9.1), (9.0, 10.4, 8.9, 10.3)]
    mirrored = [(20 - open_, 20 - low, 20 - high, 20 - close) for open_, high, low, close in figure]
    assert detect(bars(*mirrored), "engulfing")[-1] == -100


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_is_ta_lib_s_with_its_sign_times_a_hundred(name: str) -> None:
    market = gallery().ohlcv
    theirs = getattr(talib, PATTERNS[name])(market.open, market.high, market.low, market.close)
    ours = detect(market, name)
    assert ours.dtype == np.int8
    assert set(np.unique(ours)) <= {-100, 0, 100}
    np.testing.assert_array_equal(ours, np.where(theirs > 0, 100, np.where(theirs < 0, -100, 0)))
    assert (ours != 0).any()


def test_a_confirmed_hikkake_is_a_hundred_like_any_other() -> None:
    market = gallery().ohlcv
    theirs = talib.CDLHIKKAKE(market.open, market.high, market.low, market.close)
    assert (np.abs(theirs) == 200).any()
    assert set(np.abs(detect(market, "hikkake"))) == {0, 100}


def test_names_are_ta_lib_s_in_words_and_all_stand_in_the_table() -> None:
    assert list(PATTERNS.values()) == talib.get_function_groups()["Pattern Recognition"]
    assert PATTERNS["three_black_crows"] == "CDL3BLACKCROWS"
    table = dict(line.split() for line in candlesticks.__doc__.splitlines() if " CDL" in line)
    assert table == dict(PATTERNS)
    assert len(PATTERNS) == 61


def test_an_unknown_name_is_refused_with_all_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"'head_and_shoulders' is no candlestick pattern") as refused:
        detect(bars(), "head_and_shoulders")
    assert all(name in str(refused.value) for name in PATTERNS)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_short_window_has_no_pattern(rows: int, walk: Callable[..., OHLCV]) -> None:
    for found in detect_all(walk(rows, seed=1)).values():
        assert found.tolist() == [0] * rows

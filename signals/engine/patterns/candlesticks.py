"""The 61 candlestick patterns of TA-Lib, each by its TA-Lib name in words.

    name                     TA-Lib
    two_crows                CDL2CROWS
    three_black_crows        CDL3BLACKCROWS
    three_inside             CDL3INSIDE
    three_line_strike        CDL3LINESTRIKE
    three_outside            CDL3OUTSIDE
    three_stars_in_south     CDL3STARSINSOUTH
    three_white_soldiers     CDL3WHITESOLDIERS
    abandoned_baby           CDLABANDONEDBABY
    advance_block            CDLADVANCEBLOCK
    belt_hold                CDLBELTHOLD
    breakaway                CDLBREAKAWAY
    closing_marubozu         CDLCLOSINGMARUBOZU
    conceal_baby_swall       CDLCONCEALBABYSWALL
    counterattack            CDLCOUNTERATTACK
    dark_cloud_cover         CDLDARKCLOUDCOVER
    doji                     CDLDOJI
    doji_star                CDLDOJISTAR
    dragonfly_doji           CDLDRAGONFLYDOJI
    engulfing                CDLENGULFING
    evening_doji_star        CDLEVENINGDOJISTAR
    evening_star             CDLEVENINGSTAR
    gap_side_side_white      CDLGAPSIDESIDEWHITE
    gravestone_doji          CDLGRAVESTONEDOJI
    hammer                   CDLHAMMER
    hanging_man              CDLHANGINGMAN
    harami                   CDLHARAMI
    harami_cross             CDLHARAMICROSS
    high_wave                CDLHIGHWAVE
    hikkake                  CDLHIKKAKE
    hikkake_mod              CDLHIKKAKEMOD
    homing_pigeon            CDLHOMINGPIGEON
    identical_three_crows    CDLIDENTICAL3CROWS
    in_neck                  CDLINNECK
    inverted_hammer          CDLINVERTEDHAMMER
    kicking                  CDLKICKING
    kicking_by_length        CDLKICKINGBYLENGTH
    ladder_bottom            CDLLADDERBOTTOM
    long_legged_doji         CDLLONGLEGGEDDOJI
    long_line                CDLLONGLINE
    marubozu                 CDLMARUBOZU
    matching_low             CDLMATCHINGLOW
    mat_hold                 CDLMATHOLD
    morning_doji_star        CDLMORNINGDOJISTAR
    morning_star             CDLMORNINGSTAR
    on_neck                  CDLONNECK
    piercing                 CDLPIERCING
    rickshaw_man             CDLRICKSHAWMAN
    rise_fall_three_methods  CDLRISEFALL3METHODS
    separating_lines         CDLSEPARATINGLINES
    shooting_star            CDLSHOOTINGSTAR
    short_line               CDLSHORTLINE
    spinning_top             CDLSPINNINGTOP
    stalled_pattern          CDLSTALLEDPATTERN
    stick_sandwich           CDLSTICKSANDWICH
    takuri                   CDLTAKURI
    tasuki_gap               CDLTASUKIGAP
    thrusting                CDLTHRUSTING
    tristar                  CDLTRISTAR
    unique_three_river       CDLUNIQUE3RIVER
    upside_gap_two_crows     CDLUPSIDEGAP2CROWS
    xside_gap_three_methods  CDLXSIDEGAP3METHODS

Sources: Nison, Japanese Candlestick Charting Techniques (1991); Morris, Candlestick Charting Explained
(1995), whose rules TA-Lib follows. What is long or short is judged against the bars just before.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV
from signals.engine.indicators.contract import ta_lib
from signals.engine.registry import row_wise

SignArray = npt.NDArray[np.int8]

_NAMES = (
    "two_crows",
    "three_black_crows",
    "three_inside",
    "three_line_strike",
    "three_outside",
    "three_stars_in_south",
    "three_white_soldiers",
    "abandoned_baby",
    "advance_block",
    "belt_hold",
    "breakaway",
    "closing_marubozu",
    "conceal_baby_swall",
    "counterattack",
    "dark_cloud_cover",
    "doji",
    "doji_star",
    "dragonfly_doji",
    "engulfing",
    "evening_doji_star",
    "evening_star",
    "gap_side_side_white",
    "gravestone_doji",
    "hammer",
    "hanging_man",
    "harami",
    "harami_cross",
    "high_wave",
    "hikkake",
    "hikkake_mod",
    "homing_pigeon",
    "identical_three_crows",
    "in_neck",
    "inverted_hammer",
    "kicking",
    "kicking_by_length",
    "ladder_bottom",
    "long_legged_doji",
    "long_line",
    "marubozu",
    "matching_low",
    "mat_hold",
    "morning_doji_star",
    "morning_star",
    "on_neck",
    "piercing",
    "rickshaw_man",
    "rise_fall_three_methods",
    "separating_lines",
    "shooting_star",
    "short_line",
    "spinning_top",
    "stalled_pattern",
    "stick_sandwich",
    "takuri",
    "tasuki_gap",
    "thrusting",
    "tristar",
    "unique_three_river",
    "upside_gap_two_crows",
    "xside_gap_three_methods",
)


def _ta_lib_name(name: str) -> str:
    return "CDL" + name.replace("two", "2").replace("three", "3").replace("_", "").upper()


PATTERNS: Mapping[str, str] = MappingProxyType({name: _ta_lib_name(name) for name in _NAMES})


def detect(ohlcv: OHLCV, name: str) -> SignArray:
    """100 where the bullish form of the pattern is complete at a row, -100 where the bearish one is, else 0.

    Patterns without a side (a doji) give what TA-Lib gives, usually 100. Confirmed forms (TA-Lib's 200)
    are 100 as well; penetration is TA-Lib's default. ValueError, listing all names, for an unknown one.
    """
    if name not in PATTERNS:
        raise ValueError(f"{name!r} is no candlestick pattern; there are {', '.join(PATTERNS)}")
    return sides(ohlcv, (name,))[0] * np.int8(100)


@row_wise(warm_up=30)
def detect_all(ohlcv: OHLCV) -> Mapping[str, SignArray]:
    """Every pattern by name, as `detect` gives it."""
    return dict(zip(PATTERNS, sides(ohlcv, PATTERNS) * np.int8(100), strict=True))


def sides(ohlcv: OHLCV, names: Iterable[str]) -> SignArray:
    """1, -1 or 0 (see `detect`), shape (names, rows); KeyError for a name that is not in PATTERNS."""
    columns = (ohlcv.open, ohlcv.high, ohlcv.low, ohlcv.close)
    found = [getattr(ta_lib, PATTERNS[name])(*columns) for name in names]
    return np.sign(np.array(found)).astype(np.int8)

"""What each reason beside the trend rule would have been worth as a veto."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import NormalDist
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from research.services.trend_study import Results, breaking_out, decided, joined
from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.evidence import FEWEST_OUTCOMES, HISTORY_FROM, Measured
from signals.engine.hybrid import DEFAULTS, TIMEFRAME_WEIGHTS
from signals.engine.hybrid.hearing import hear
from signals.engine.moment import instant, milliseconds
from signals.engine.regime import REGIMES
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.engine.trend import FROZEN, TIMEFRAME
from signals.engine.trend_reasons import BLEND, ML, SENTIMENT, regime_name, score_name

# Candles of a pair by timeframe; 4h always.
Lengths = Mapping[Timeframe, OHLCV]
FEWEST_FITTED = 150  # trades that must have ended before a model of them may speak
RIDGE = 10.0
LEVEL = 0.05

BoolArray = npt.NDArray[np.bool_]
Entry = TypeVar("Entry", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Worth:
    """A reason as a veto. ended: the trades of the rule that it speaks against; kept: those of the rule with it.

    earned: mean R of the rule with the veto, other trades taken in their place, less its mean R without it.
    """

    name: str
    ended: Measured
    kept: Measured
    earned: float
    ended_before: Measured
    ended_later: Measured
    is_supported: bool


def what_speaks(lengths: Lengths, rows: npt.NDArray[np.intp], partner: OHLCV | None) -> dict[str, FloatArray]:
    """Value of each reason at the closes of 4h rows; NaN where the timeframe is not there. Below zero is against.

    As `trend_reasons.reasons_of` has it live. A timeframe without candles adds nothing to votes and blend.
    """
    closes = lengths[TIMEFRAME].open_time[rows] + TIMEFRAME.milliseconds
    votes, blend = np.zeros((len(STRATEGIES), len(rows))), np.zeros(len(rows))
    found: dict[str, FloatArray] = {}
    for timeframe, weight in TIMEFRAME_WEIGHTS.items():
        column = np.full(len(rows), nan)
        found[score_name(timeframe)] = column
        candles = lengths.get(timeframe)
        if candles is None or not len(candles):
            continue
        heard = hear(
            timeframe, candles, DecisionContext(as_of=instant(int(closes.max())), partner=partner), DEFAULTS
        )
        place = np.searchsorted(heard.closes, closes, side="right") - 1
        there = (place >= 0) & (closes - heard.closes[place] < timeframe.milliseconds)
        vote, spoke = heard.vote[:, place[there]], heard.age[:, place[there]] >= 0
        column[there] = np.where(spoke, vote, 0.0).sum(axis=0) / np.maximum(spoke.sum(axis=0), 1)
        votes[:, there] += weight * np.where(spoke, vote, 0.0)
        blend[there] += weight * column[there]
        if timeframe is TIMEFRAME:
            found |= _regimes(heard.regime[place], there)
    by_strategy = dict(zip(STRATEGIES, votes, strict=True))
    del by_strategy[SENTIMENT]  # of which candles tell nothing
    scores = {score_name(each): found.pop(score_name(each)) for each in TIMEFRAME_WEIGHTS}
    return {**by_strategy, **scores, BLEND: blend, **found}


def _regimes(regime: npt.NDArray[np.int8], there: BoolArray) -> dict[str, FloatArray]:
    """-1 where it reigns: each is asked as a veto."""
    return {
        regime_name(each.value): np.where(there & (regime == place), -1.0, 0.0)
        for place, each in enumerate(REGIMES)
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Market:
    """Entries of one pair, taken or not, and what spoke at each."""

    candles: OHLCV
    rows: npt.NDArray[np.intp]
    values: Mapping[str, FloatArray]

    @property
    def closes(self) -> TimeArray:
        closes: TimeArray = self.candles.open_time[self.rows] + TIMEFRAME.milliseconds
        return closes


def study_reasons(
    markets: Mapping[str, Lengths], *, since: int | None, on_step: Callable[[str], None]
) -> list[Worth]:
    """Every reason of the frozen rule's trades that candles can tell of. since: UTC ms, None for all."""
    asked = []
    for name, lengths in markets.items():
        on_step(f"reasons, {name}")
        candles = lengths[TIMEFRAME]
        if len(candles) < FROZEN.lookback:
            continue
        rows, _ = breaking_out(candles, FROZEN)
        if len(rows):
            partner = _partner(markets, name)
            asked.append(_Market(candles, rows, what_speaks(lengths, rows, partner)))
    if not asked:
        return []
    whole = [decided(each.candles, each.rows, FROZEN) for each in asked]
    against = {name: [np.nan_to_num(each.values[name]) < 0 for each in asked] for name in asked[0].values} | {
        ML: _learned(asked, whole)
    }
    level = NormalDist().inv_cdf(1 - LEVEL / len(against))
    return [_worth(name, asked, whole, ends, since, level) for name, ends in against.items()]


def _partner(markets: Mapping[str, Lengths], name: str) -> OHLCV | None:
    """As the strategies' study has it: the first pair, and the second for the first."""
    others = [each for each in markets if each != name]
    return markets[others[0]].get(BASE_TIMEFRAME) if others else None


def _worth(
    name: str,
    asked: list[_Market],
    whole: list[Results],
    against: list[BoolArray],
    since: int | None,
    level: float,
) -> Worth:
    rule, ended = joined(whole), np.concatenate(list(_at_trades(asked, whole, against)))
    without = joined(
        [decided(each.candles, each.rows[~ends], FROZEN) for each, ends in zip(asked, against, strict=True)]
    )
    begin = since if since is not None else -(1 << 62)
    counted, split = rule.closed_at >= begin, rule.closed_at >= milliseconds(HISTORY_FROM)
    before = rule.chosen(counted & ended & ~split).measured()
    later = rule.chosen(counted & ended & split).measured()
    lost, kept = rule.chosen(counted & ended).measured(), without.chosen(without.closed_at >= begin)
    total = rule.chosen(counted)
    return Worth(
        name=name,
        ended=lost,
        kept=kept.measured(),
        earned=float(kept.net.mean() - total.net.mean()) if len(kept) and len(total) else nan,
        ended_before=before,
        ended_later=later,
        is_supported=supports(lost, before, later, level),
    )


def supports(ended: Measured, before: Measured, later: Measured, level: float) -> bool:
    """Whether what it would have ended lost: surely over all, and both before 2024 and from 2024 on, with enough each.

    level: standard errors below zero, so that one in twenty studies finds any where none helps.
    """
    enough = min(before.n, later.n) >= FEWEST_OUTCOMES and isfinite(ended.standard_error)
    return enough and ended.mean + level * ended.standard_error < 0 and before.mean < 0 and later.mean < 0


def _at_trades(
    asked: list[_Market], whole: list[Results], of_entries: Sequence[npt.NDArray[Entry]]
) -> Iterator[npt.NDArray[Entry]]:
    """Of all entries those that were taken and have ended."""
    for each, results, column in zip(asked, whole, of_entries, strict=True):
        yield column[np.searchsorted(each.closes, results.closed_at)]


def _learned(asked: list[_Market], whole: list[Results]) -> list[BoolArray]:
    """Entries of which a ridge regression on all reasons expects a loss, fitted each year on trades that had ended."""
    tables = [np.nan_to_num(np.column_stack(list(each.values.values()))) for each in asked]
    rule = joined(whole)
    known = np.concatenate(list(_at_trades(asked, whole, tables)))
    held = (rule.hours * Timeframe.H1.milliseconds).astype(np.int64)
    ended_at = rule.closed_at + held + TIMEFRAME.milliseconds
    years = np.unique(_years(rule.closed_at))
    against = [np.zeros(len(each.rows), dtype=np.bool_) for each in asked]
    for year in years:
        fitted = _years(ended_at) < year
        if fitted.sum() < FEWEST_FITTED:
            continue
        guess = _ridge(known[fitted].astype(np.float64), rule.net[fitted])
        for each, table, ends in zip(asked, tables, against, strict=True):
            rows = _years(each.closes) == year
            ends[rows] = guess(table[rows]) < 0
    return against


def _ridge(table: FloatArray, wanted: FloatArray) -> Callable[[FloatArray], FloatArray]:
    mean, scale = table.mean(axis=0), table.std(axis=0)
    scale[scale == 0] = 1.0
    known = (table - mean) / scale
    weights = np.linalg.solve(
        known.T @ known + RIDGE * np.eye(known.shape[1]), known.T @ (wanted - wanted.mean())
    )
    centre = float(wanted.mean())

    def guess(rows: FloatArray) -> FloatArray:
        said: FloatArray = (rows - mean) / scale @ weights + centre
        return said

    return guess


def _years(moments: TimeArray) -> npt.NDArray[np.int64]:
    return moments.astype("datetime64[ms]").astype("datetime64[Y]").astype(np.int64) + 1970

"""What may be believed of a backtest, and why, in one sentence."""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, isnan, sqrt

import numpy as np
import numpy.typing as npt

from research.engine.overfitting import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_track_record_length,
)
from signals.engine.performance import Interval, bootstrap_interval, kurtosis, sharpe_ratio, skewness

LEAST_PERIODS = 30
LEAST_TRADES = 30
BELIEVED = 0.95
FRAGILE = (
    0.2  # a choice among trials that fails out of sample more often is not the reason to believe one of them
)


class Belief(StrEnum):
    NOTHING = "nothing"
    LUCK = "luck"
    UNPROVEN = "unproven"
    FRAGILE = "fragile"
    BELIEVABLE = "believable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Sharpe ratios are annual, `interval` that of `sharpe_ratio`, `luck` what the best of the trials shows by luck.

    needed: periods of such returns from which on luck is excluded with 95 %, infinite where it never is. NaN where
    nothing could be computed.
    """

    belief: Belief
    sentence: str
    sharpe_ratio: float
    interval: Interval
    luck: float
    deflated: float
    needed: float
    trials: int
    observations: int


def verdict(
    returns: npt.ArrayLike,
    *,
    periods_per_year: float,
    trials: int,
    trials_variance: float | None = None,
    overfitting: float | None = None,
    trades: int | None = None,
    seed: int = 0,
) -> Verdict:
    """Judge net returns, one per period, that were chosen among `trials`, every run counted, failed ones too.

    trials_variance: of the per-period Sharpe ratios of the trials; where it is not known, that of records of this
    length without any skill. overfitting: PBO of the trials; trades: how many finished trades made these returns.
    """
    record = np.asarray(returns, dtype=np.float64)
    sharpe = sharpe_ratio(record, 1.0)
    annual = sqrt(periods_per_year)
    if isnan(sharpe) or len(record) < LEAST_PERIODS or (trades is not None and trades < LEAST_TRADES):
        return _nothing(len(record), trades, trials, sharpe * annual)
    variance = 1 / (len(record) - 1) if trials_variance is None else trials_variance
    moments = skewness(record), kurtosis(record)
    luck = expected_maximum_sharpe(trials, variance)
    deflated = deflated_sharpe_ratio(sharpe, len(record), *moments, trials, variance)
    interval = bootstrap_interval(record, lambda each: sharpe_ratio(each, periods_per_year), seed=seed)
    needed = minimum_track_record_length(sharpe, *moments, luck)
    found = _belief(sharpe, deflated, overfitting)
    shown = (
        f"a Sharpe ratio of {sharpe * annual:.2f} a year (95 % interval {interval.low:.2f} to {interval.high:.2f}, "
        f"n = {len(record)}{'' if trades is None else f' with {trades} trades'})"
    )
    chance = f"the best of {trials} trials shows {luck * annual:.2f} by luck alone"
    if trials == 1:
        chance = "there was no other trial"
    odds = f"the probability of skill after all trials is {_percent(deflated)}"
    sentence = {
        Belief.NOTHING: f"There is nothing to believe: {shown} is no gain.",
        Belief.LUCK: f"Luck explains it: {shown} where {chance}; {odds}.",
        Belief.UNPROVEN: f"Not proven: {shown} where {chance}; {odds}{_wait(needed, len(record))}.",
        Belief.FRAGILE: (
            f"Fragile: {shown} where {chance} and {odds}, but in {overfitting or 0:.0%} of the splits of history "
            "the best trial of one half is not above the median in the other."
        ),
        Belief.BELIEVABLE: f"It may be believed: {shown} where {chance}; {odds}{_stable(overfitting)}.",
    }[found]
    return Verdict(
        found, sentence, sharpe * annual, interval, luck * annual, deflated, needed, trials, len(record)
    )


def _belief(sharpe: float, deflated: float, overfitting: float | None) -> Belief:
    if sharpe <= 0:
        return Belief.NOTHING
    if deflated < 0.5:
        return Belief.LUCK
    if deflated <= BELIEVED:
        return Belief.UNPROVEN
    return Belief.FRAGILE if overfitting is not None and overfitting >= FRAGILE else Belief.BELIEVABLE


def _nothing(periods: int, trades: int | None, trials: int, sharpe: float) -> Verdict:
    if periods < LEAST_PERIODS:
        why = f"{periods} periods are too few, {LEAST_PERIODS} are the least that can be judged"
    elif trades is not None and trades < LEAST_TRADES:
        why = f"{trades} trades are too few, {LEAST_TRADES} are the least that can be judged"
    else:
        why = "the returns never vary"
    unknown = Interval(np.nan, np.nan)
    return Verdict(
        Belief.NOTHING,
        f"Nothing may be believed: {why}.",
        sharpe,
        unknown,
        np.nan,
        np.nan,
        np.inf,
        trials,
        periods,
    )


def _percent(share: float) -> str:
    """Never 100 %, which nobody can know."""
    return "above 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"


def _wait(needed: float, periods: int) -> str:
    return f"; {np.ceil(needed):.0f} such periods would do" if isfinite(needed) and needed > periods else ""


def _stable(overfitting: float | None) -> str:
    return (
        ""
        if overfitting is None
        else f", and the choice among them fails in {overfitting:.0%} of the splits only"
    )

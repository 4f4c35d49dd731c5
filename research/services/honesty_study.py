"""Experiments that the tools against luck must pass: on noise they believe nothing, a planted edge they find.

Markets are simulated here on purpose: only of them is the truth known. Nothing is fitted and nothing left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from research.engine.ab_test import LEAST_UNITS, sequence_radius
from research.engine.overfitting import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    probability_of_backtest_overfitting,
)
from research.engine.portfolio import optimized, out_of_sample
from signals.engine.candle import FloatArray
from signals.engine.performance import kurtosis, skewness

TRIALS = 100
LONG, SHORT = 500, 24
PLANTED_SHARPE = 0.25
YEAR = 365
BELIEVED = 0.95

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Selections:
    """The best of TRIALS for each seed: observations, per-period Sharpe, its moments, and the trials' variance."""

    observations: int
    sharpe: FloatArray
    skew: FloatArray
    kurtosis: FloatArray
    variance: FloatArray

    def believed(self, **mistakes: float) -> float:
        """Share of the seeds whose best is believed. Mistakes: trials and variance as factors, kurtosis as a term.

        A mistake that makes the moments impossible is refused with a ValueError, and so not believed.
        """
        rows = zip(self.sharpe, self.skew, self.kurtosis, self.variance, strict=True)
        return float(np.mean([self._is_believed(*row, mistakes) for row in rows]))

    def _is_believed(
        self, sharpe: float, skew: float, heavy: float, variance: float, mistakes: Mapping[str, float]
    ) -> bool:
        trials = TRIALS * mistakes.get("trials", 1.0)
        heavy += mistakes.get("kurtosis", 0.0)
        variance *= mistakes.get("variance", 1.0)
        try:
            return deflated_sharpe_ratio(sharpe, self.observations, skew, heavy, trials, variance) > BELIEVED
        except ValueError:
            if "kurtosis" not in mistakes:
                raise
            return False

    @property
    def expected_best(self) -> float:
        return float(np.mean([expected_maximum_sharpe(TRIALS, each) for each in self.variance]))


@dataclass(frozen=True, slots=True)
class PeekedTests:
    """Shares of A/A tests (no difference) and of A/B tests that were called different on any of the days."""

    days: int
    false_by_sequence: float
    false_by_t_test: float
    true_by_sequence: float
    true_difference: float


@dataclass(frozen=True, slots=True)
class Experiments:
    seeds: int
    many_seeds: int
    noise: Selections
    noise_of_many: Selections
    short_noise: Selections
    planted: Selections
    planted_of_many: Selections
    overfitting_of_noise: FloatArray
    overfitting_of_planted: FloatArray
    peeked: Mapping[str, PeekedTests]
    tests: int
    even_portfolios: float
    portfolios: int


def run(
    *, seeds: int, many_seeds: int, matrices: int, tests: int, portfolios: int, progress: Progress
) -> Experiments:
    """All experiments; the same arguments give the same numbers."""
    progress("the best of noise, and of a planted edge")
    noise, noise_of_many = selections(LONG, seeds, seed=1), selections(LONG, many_seeds, seed=7)
    short = selections(SHORT, many_seeds, seed=2)
    planted, planted_of_many = planted_selections(seeds, seed=3), planted_selections(many_seeds, seed=8)
    progress("overfitting of matrices")
    of_noise, of_planted = overfitting(matrices, seed=4)
    peeked = {}
    for number, name in enumerate(METRICS):
        progress(f"A/A tests of {name}")
        peeked[name] = peeked_tests(name, tests, seed=5 + 10 * number)
    progress("portfolios of assets that are alike")
    return Experiments(
        seeds=seeds,
        many_seeds=many_seeds,
        noise=noise,
        noise_of_many=noise_of_many,
        short_noise=short,
        planted=planted,
        planted_of_many=planted_of_many,
        overfitting_of_noise=of_noise,
        overfitting_of_planted=of_planted,
        peeked=peeked,
        tests=tests,
        even_portfolios=preferred_even(portfolios, seed=6),
        portfolios=portfolios,
    )


def selections(observations: int, seeds: int, *, seed: int) -> Selections:
    """The best of TRIALS strategies of normal returns without any edge."""
    rng = np.random.default_rng(seed)
    found = [_best(rng.standard_normal((observations, TRIALS)) / 100) for _ in range(seeds)]
    return Selections(observations, *np.array(found).T)


def planted_selections(seeds: int, *, seed: int) -> Selections:
    """As `selections`, one of the trials having an edge of PLANTED_SHARPE per period."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(seeds):
        returns = rng.standard_normal((LONG, TRIALS)) / 100
        returns[:, 17] += PLANTED_SHARPE / 100
        found.append(_best(returns))
    return Selections(LONG, *np.array(found).T)


def _best(returns: FloatArray) -> tuple[float, float, float, float]:
    sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    best = returns[:, int(sharpes.argmax())]
    return float(sharpes.max()), skewness(best), kurtosis(best), float(sharpes.var(ddof=1))


def overfitting(matrices: int, *, seed: int) -> tuple[FloatArray, FloatArray]:
    """PBO of noise, and of noise with one planted edge: 240 periods, 30 trials, 10 blocks."""
    rng = np.random.default_rng(seed)
    noise, planted = np.empty(matrices), np.empty(matrices)
    for number in range(matrices):
        returns = rng.standard_normal((240, 30))
        noise[number] = probability_of_backtest_overfitting(returns, 10)
        returns[:, 11] += 2 * PLANTED_SHARPE
        planted[number] = probability_of_backtest_overfitting(returns, 10)
    return noise, planted


def _hits(rng: np.random.Generator, shape: tuple[int, ...], better: float) -> FloatArray:
    return (rng.random(shape) < 0.42 + better).astype(np.float64)


def _r_multiples(rng: np.random.Generator, shape: tuple[int, ...], better: float) -> FloatArray:
    """Stopped at -1 R or so, or a target of 1.5 R, with costs; a few run further."""
    won = rng.random(shape) < 0.42
    run = np.where(rng.random(shape) < 0.05, 4.0, 1.5)
    return np.where(won, run, -1.0) - 0.1 + 0.1 * rng.standard_normal(shape) + better


def _acted(rng: np.random.Generator, shape: tuple[int, ...], better: float) -> FloatArray:
    """The share that one subscriber acts on, of ten signals, each subscriber with an own inclination."""
    inclined = np.clip(rng.beta(1.5, 4.0, shape) + better, 0, 1)
    return rng.binomial(10, inclined) / 10


METRICS: Mapping[str, tuple[Callable[[np.random.Generator, tuple[int, ...], float], FloatArray], float]] = {
    "hit rate": (_hits, 0.1),
    "R": (_r_multiples, 0.25),
    "acted share": (_acted, 0.06),
}
DAYS, UNITS_A_DAY = 90, 12
T_QUANTILE = 1.96


def peeked_tests(metric: str, tests: int, *, seed: int) -> PeekedTests:
    """Two arms that get about UNITS_A_DAY units a day, looked at on each of DAYS days, stopped at the first finding."""
    draw, better = METRICS[metric]
    rng = np.random.default_rng(seed)
    found = np.array([_peeked(draw, 0.0, rng) for _ in range(tests)])
    real = np.array([_peeked(draw, better, rng) for _ in range(tests)])
    return PeekedTests(
        DAYS, float(found[:, 0].mean()), float(found[:, 1].mean()), float(real[:, 0].mean()), better
    )


def _peeked(
    draw: Callable[[np.random.Generator, tuple[int, ...], float], FloatArray],
    better: float,
    rng: np.random.Generator,
) -> tuple[bool, bool]:
    """Whether the sequence, and whether a naive t-test, ever called the two arms different."""
    counts = [np.cumsum(rng.poisson(UNITS_A_DAY, DAYS)) for _ in range(2)]
    looked_at = np.minimum(*counts) >= LEAST_UNITS
    means, spreads, variance = [], [], np.zeros(int(looked_at.sum()))
    for effect, every_day in zip((0.0, better), counts, strict=True):
        count = every_day[looked_at]
        values = draw(rng, (int(count[-1]),), effect)
        total, square = np.cumsum(values)[count - 1], np.cumsum(values**2)[count - 1]
        means.append(total / count)
        spreads.append((square - total**2 / count) / (count - 1))
        variance += spreads[-1] / count
    difference = np.abs(means[1] - means[0])
    deviation = np.sqrt((spreads[0] + spreads[1]) / 2)
    by_sequence = difference > sequence_radius(variance, deviation, 0.05)
    by_t_test = difference > T_QUANTILE * np.sqrt(variance)
    return bool(by_sequence.any()), bool(by_t_test.any())


def preferred_even(portfolios: int, *, seed: int) -> float:
    """Share of histories of five assets that are alike of which the verdict out of sample is 1/N."""
    preferred = 0
    for number in range(portfolios):
        alike = np.random.default_rng(seed + 1000 * number).normal(0.0005, 0.02, (480, 5))
        methods = {"max Sharpe": optimized("max_sharpe"), "min variance": optimized("min_variance")}
        found = out_of_sample(
            alike, methods, train_rows=120, test_rows=60, periods_per_year=YEAR, seed=number
        )
        preferred += found.prefer == "1/N"
    return preferred / portfolios if portfolios else np.nan

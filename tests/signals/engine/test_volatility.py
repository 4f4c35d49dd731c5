"""Volatility models against a likelihood written as a loop, against simulation, and on recorded candles."""

from dataclasses import replace
from math import isnan, log, nan, pi, sqrt
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from signals.engine.volatility import (
    MONTH_BARS,
    FittedVolatility,
    GarchFit,
    HarFit,
    VolatilityModel,
    ewma_variances,
    fit_garch,
    fit_har,
    fit_volatility,
    forecast,
    garch_variances,
    har_variances,
    qlike,
)

PAIRS = ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "AVAX", "LINK", "DOT")
TRUE = GarchFit(0.02, 0.05, 0.10, 0.85, nan, converged=True, fallback=False)


def simulate(bars: int, seed: int, truth: GarchFit = TRUE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    variance = truth.omega / (1 - truth.alpha - truth.beta)
    returns = np.empty(bars)
    for row in range(bars):
        shock = sqrt(variance) * rng.standard_normal()
        returns[row] = truth.mu + shock
        variance = truth.omega + truth.alpha * shock**2 + truth.beta * variance
    return returns


def log_likelihood(returns: np.ndarray, fit: GarchFit) -> float:
    """The Gaussian likelihood, term by term; before the sample both terms are the mean squared residual."""
    residuals = [float(value) - fit.mu for value in returns]
    variance = shock = sum(residual**2 for residual in residuals) / len(residuals)
    total = 0.0
    for residual in residuals:
        variance = fit.omega + fit.alpha * shock + fit.beta * variance
        total -= 0.5 * (log(2 * pi) + log(variance) + residual**2 / variance)
        shock = residual**2
    return total


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    return simulate(2_000, seed=1)


def test_the_published_benchmark_is_reproduced_to_its_printed_digits() -> None:
    """Fiorentini, Calzolari and Panattoni, Journal of Applied Econometrics 11 (1996)."""
    lines = (Path(__file__).parent / "dem2gbp.txt").read_text().splitlines()
    returns = np.array(" ".join(line for line in lines if not line.startswith("#")).split(), dtype=float)

    fit = fit_garch(returns)

    assert len(returns) == 1974
    assert fit.mu == pytest.approx(-0.00619041, abs=5e-9)
    assert fit.omega == pytest.approx(0.0107613, abs=2e-7)
    assert (fit.alpha, fit.beta) == pytest.approx((0.153134, 0.805974), abs=5e-7)
    assert fit.log_likelihood == pytest.approx(-1106.6, abs=0.05)


def test_the_stated_likelihood_is_that_of_the_loop(sample: np.ndarray) -> None:
    fit = fit_garch(sample)

    assert (fit.converged, fit.fallback) == (True, False)
    assert fit.log_likelihood == pytest.approx(log_likelihood(sample, fit), rel=1e-10)


def test_no_neighbouring_estimate_is_more_likely(sample: np.ndarray) -> None:
    fit = fit_garch(sample)
    for name in ("mu", "omega", "alpha", "beta"):
        for step in (-1e-3, 1e-3):
            moved = replace(fit, **{name: getattr(fit, name) + step * max(abs(getattr(fit, name)), 0.01)})
            assert log_likelihood(sample, moved) < fit.log_likelihood, (name, step)


def test_the_truth_behind_a_long_simulation_is_found() -> None:
    fit = fit_garch(simulate(20_000, seed=2))

    assert fit.mu == pytest.approx(TRUE.mu, abs=0.03)
    assert fit.omega == pytest.approx(TRUE.omega, rel=0.3)
    assert fit.alpha == pytest.approx(TRUE.alpha, abs=0.02)
    assert fit.beta == pytest.approx(TRUE.beta, abs=0.03)


@pytest.mark.parametrize("unit", [1e-4, 1e-2, 1e3])
def test_estimates_are_in_the_units_of_the_returns(sample: np.ndarray, unit: float) -> None:
    fit, scaled = fit_garch(sample), fit_garch(sample * unit)

    assert scaled.mu == pytest.approx(fit.mu * unit, rel=1e-4)
    assert scaled.omega == pytest.approx(fit.omega * unit**2, rel=1e-4)
    assert (scaled.alpha, scaled.beta) == pytest.approx((fit.alpha, fit.beta), rel=1e-4)
    assert scaled.log_likelihood == pytest.approx(fit.log_likelihood - len(sample) * log(unit))


@pytest.mark.parametrize(
    "returns",
    [np.array([]), np.zeros(500), np.full(500, 0.1), simulate(20, 1), simulate(99, 1)],
    ids=["none", "zeros", "constant", "20", "99"],
)
def test_a_short_or_constant_series_falls_back_without_numbers(returns: np.ndarray) -> None:
    fit = fit_garch(returns)

    assert (fit.fallback, fit.converged) == (True, False)
    assert all(map(isnan, (fit.mu, fit.omega, fit.alpha, fit.beta, fit.log_likelihood)))


def test_a_hundred_returns_are_enough_to_try() -> None:
    assert fit_garch(simulate(100, 4)).fallback is False


def test_a_return_that_is_not_finite_is_named() -> None:
    with pytest.raises(ValueError, match="return 3 is not a finite number"):
        fit_garch([0.1, 0.2, 0.3, nan, 0.1])


def test_value_at_risk_of_an_unseen_half_is_exceeded_as_often_as_promised() -> None:
    for seed in range(3):
        returns = simulate(4_000, seed)
        fit = fit_garch(returns[:2_000])
        deviation = np.sqrt(garch_variances(returns, fit)[2_000:-1])
        exceeded = (returns[2_000:] < fit.mu - 1.6448536 * deviation).mean()
        assert 0.035 <= exceeded <= 0.065


def test_variance_paths_follow_their_recursions() -> None:
    returns = simulate(MONTH_BARS + 40, 3)
    squares = returns**2
    garch, ewma = garch_variances(returns, TRUE), ewma_variances(returns)
    har = har_variances(returns, HarFit(0.1, 0.2, 0.3, 0.4))
    residuals = (returns - TRUE.mu) ** 2

    assert len(garch) == len(ewma) == len(har) == len(returns) + 1
    garch_now, ewma_now = 0.05 + 0.95 * residuals[:100].mean(), squares[:100].mean()
    for row in range(1, len(garch)):
        garch_now = 0.05 + 0.10 * residuals[row - 1] + 0.85 * garch_now
        ewma_now = 0.94 * ewma_now + 0.06 * squares[row - 1]
        if row >= 100:
            assert (garch[row], ewma[row]) == pytest.approx((garch_now, ewma_now))
    assert np.isnan(garch[:100]).all()
    assert np.isnan(ewma[:100]).all()
    for row in (MONTH_BARS, MONTH_BARS + 17, MONTH_BARS + 40):
        day, week, month = (squares[row - bars : row].mean() for bars in (24, 168, 480))
        assert har[row] == pytest.approx(0.1 + 0.2 * day + 0.3 * week + 0.4 * month)
    assert np.isnan(har[:MONTH_BARS]).all()


def test_har_finds_the_weights_that_made_a_series() -> None:
    rng = np.random.default_rng(8)
    returns = list(rng.normal(0, 1, MONTH_BARS))
    for _ in range(12_000):
        squares = np.square(returns[-MONTH_BARS:])
        variance = 0.1 + 0.5 * squares[-24:].mean() + 0.2 * squares[-168:].mean() + 0.2 * squares.mean()
        returns.append(rng.normal(0, sqrt(variance)))

    fit = fit_har(returns)

    assert fit is not None
    assert fit.daily == pytest.approx(0.5, abs=0.15)
    assert fit.daily + fit.weekly + fit.monthly == pytest.approx(0.9, abs=0.1)
    assert min(fit.constant, fit.daily, fit.weekly, fit.monthly) >= 0


def test_no_neighbouring_weights_of_har_err_less_where_errors_count_by_the_variance_of_their_month() -> None:
    returns = simulate(3_000, seed=3) * (1.5 + np.sin(np.arange(3_000) / 300))  # quiet and wild in turn
    squares = np.square(returns)
    spans = [
        [1.0, *(squares[row - bars : row].mean() for bars in (24, 168, MONTH_BARS))]
        for row in range(MONTH_BARS, len(squares))
    ]
    known, then = np.array(spans), squares[MONTH_BARS:]

    def error(weights: np.ndarray) -> float:
        return float(np.square((then - known @ weights) / known[:, 3]).sum())

    fit = fit_har(returns)
    assert fit is not None
    best = np.array([fit.constant, fit.daily, fit.weekly, fit.monthly])
    for place, step in enumerate(1e-3 * np.array([then.mean(), 1, 1, 1])):
        for moved in (best[place] + step, max(best[place] - step, 0)):
            near = best.copy()
            near[place] = moved
            assert error(near) >= error(best) * (1 - 1e-9)


def test_qlike_is_smallest_for_the_true_variance() -> None:
    returns = simulate(20_000, 5)
    truth = garch_variances(returns, TRUE)[100:-1]

    scores = [qlike(returns[100:] - TRUE.mu, truth * factor) for factor in (0.5, 0.8, 1.0, 1.25, 2.0)]

    assert min(scores) == scores[2]
    assert qlike([1.0, 2.0], [1.0, 4.0]) == pytest.approx((0 + 1 + log(4) + 1) / 2)
    assert isnan(qlike([1.0], [0.0]))


def test_the_model_that_made_the_series_is_chosen() -> None:
    lively = replace(TRUE, alpha=0.3, beta=0.6)
    fitted = fit_volatility(simulate(4_000, 6, lively))

    assert fitted.chosen is VolatilityModel.GARCH
    assert set(fitted.qlike) == set(VolatilityModel)
    assert fitted.qlike[VolatilityModel.GARCH] == min(fitted.qlike.values())


@pytest.mark.parametrize("model", list(VolatilityModel))
def test_a_forecast_is_the_end_of_the_models_path_in_units_of_the_returns(model: VolatilityModel) -> None:
    returns = simulate(2_000, 7)
    fitted = replace(fit_volatility(returns), chosen=model)
    assert fitted.har is not None
    variance = {
        VolatilityModel.EWMA: ewma_variances(returns)[-1],
        VolatilityModel.HAR: har_variances(returns, fitted.har)[-1],
        VolatilityModel.GARCH: garch_variances(returns, fitted.garch)[-1],
    }[model]

    assert forecast(fitted, returns) == pytest.approx(sqrt(variance), rel=1e-9)
    assert forecast(fitted, returns[-499:]) == pytest.approx(sqrt(variance), rel=1e-6)


def test_a_garch_forecast_of_several_bars_decays_towards_the_long_run() -> None:
    returns = simulate(2_000, 7)
    fit = TRUE
    fitted = FittedVolatility(VolatilityModel.GARCH, fit, None, {})
    first = forecast(fitted, returns) ** 2
    long_run, memory = fit.omega / (1 - fit.alpha - fit.beta), fit.alpha + fit.beta
    closed_form = sum(long_run + memory**ahead * (first - long_run) for ahead in range(4))

    assert forecast(fitted, returns, 4) ** 2 == pytest.approx(closed_form, rel=1e-12)
    assert forecast(fitted, returns, 100_000) ** 2 == pytest.approx(100_000 * long_run, rel=1e-3)


def test_a_forecast_from_the_fewest_returns_remembers_where_it_started() -> None:
    returns = simulate(100, 7)
    slow = replace(TRUE, alpha=0.01, beta=0.985)

    expected = garch_variances(returns, slow)[-1]
    fitted = FittedVolatility(VolatilityModel.GARCH, slow, None, {})
    assert forecast(fitted, returns) ** 2 == pytest.approx(expected, rel=1e-9)


def test_models_are_judged_on_returns_that_neither_fit_nor_forecast_had_seen() -> None:
    """GARCH by its recursion: parameters of the first three quarters, each return met by the variance before it."""
    returns = simulate(800, 9)
    fit = fit_garch(returns[:600])
    residuals = (returns - fit.mu) ** 2
    now = fit.omega + (fit.alpha + fit.beta) * residuals[:100].mean()
    losses = []
    for row in range(800):
        if row:
            now = fit.omega + fit.alpha * residuals[row - 1] + fit.beta * now
        losses.append(log(now) + returns[row] ** 2 / now)

    judged = fit_volatility(returns).qlike[VolatilityModel.GARCH]
    assert judged == pytest.approx(float(np.mean(losses[600:])), rel=1e-9)


def test_an_ewma_forecast_of_several_bars_grows_with_the_root_of_time() -> None:
    returns = simulate(600, 7)
    fitted = FittedVolatility(VolatilityModel.EWMA, fit_garch([]), None, {})

    assert forecast(fitted, returns, 4) == pytest.approx(2 * forecast(fitted, returns), rel=1e-12)


def test_a_har_forecast_of_several_bars_feeds_on_its_own_expectations() -> None:
    returns = simulate(MONTH_BARS + 20, 7)
    fitted = FittedVolatility(VolatilityModel.HAR, fit_garch([]), HarFit(0.1, 0.2, 0.3, 0.4), {})
    squares = list(returns**2)
    for _ in range(4):
        day, week, month = (sum(squares[-bars:]) / bars for bars in (24, 168, 480))
        squares.append(0.1 + 0.2 * day + 0.3 * week + 0.4 * month)

    assert forecast(fitted, returns, 4) ** 2 == pytest.approx(sum(squares[-4:]), rel=1e-9)


def test_a_forecast_of_no_bar_is_refused() -> None:
    with pytest.raises(ValueError, match="bars is 0"):
        forecast(fit_volatility(simulate(200, 1)), simulate(200, 1), 0)


@pytest.mark.parametrize(
    "returns", [np.zeros(20), np.zeros(1_000), simulate(20, 1)], ids=["20", "constant", "short"]
)
def test_nothing_can_be_forecast_from_too_little_or_a_market_that_stands_still(returns: np.ndarray) -> None:
    fitted = fit_volatility(returns)

    assert fitted == FittedVolatility(VolatilityModel.EWMA, fitted.garch, None, {})
    assert fitted.garch.fallback
    assert isnan(forecast(fitted, returns))


def test_garch_rarely_falls_back_on_recorded_candles_and_the_best_model_is_used(shared_data: Path) -> None:
    """Ten pairs, hourly returns, four fits of 60 days each across 2025."""
    fits = []
    for pair in PAIRS:
        path = shared_data / f"ohlcv/binance_spot_finom/{pair}USDT_1h.parquet"
        returns = np.diff(np.log(pq.read_table(path, columns=["close"])["close"].to_numpy()[-8_760:]))
        fits += [fit_volatility(returns[end - 1_440 : end]) for end in (2_000, 4_200, 6_400, 8_700)]

    assert len(fits) == 40
    assert sum(fit.garch.fallback for fit in fits) <= 0.05 * len(fits)
    assert all(fit.qlike[fit.chosen] == min(fit.qlike.values()) for fit in fits)

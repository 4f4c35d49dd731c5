"""How far the next bar may move: three forecasts, judged out of sample, the best of them used.

- EWMA, RiskMetrics' exponential average of squared returns (J.P. Morgan 1996), decay 0.94.
- HAR, a regression of the next squared return on the mean squared return of a day, a week and a month
  (Corsi 2009), with non-negative weights so that a variance stays one.
- GARCH(1,1) with a constant mean and Gaussian likelihood (Bollerslev 1986), estimated by `arch`.

Returns are 1-D float64, oldest first, e.g. log returns of closes. Forecasts are for the bars after the last
return and in the returns' unit. Fitting is slow and done once a day (`fit_volatility`, parameters stored);
`forecast` is cheap and needs MONTH_BARS returns at most. arch and scipy are loaded when something is
fitted, not with this module: the web process never fits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, log, nan, pi

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.engine.volatility_model import VolatilityModel

EWMA_DECAY = 0.94
MINIMUM_RETURNS = 100
DAY_BARS, WEEK_BARS, MONTH_BARS = 24, 168, 480  # hours; a month of 20 days, so that a 500-bar window holds it
TRAINING_SHARE = 0.75
NO_MOVE = 1e-12


@dataclass(frozen=True, slots=True)
class GarchFit:
    """h[t] = omega + alpha e[t-1]^2 + beta h[t-1], e = return - mu; all in the units of the returns.

    `fallback`: there is no usable estimate (the numbers are NaN). `converged`: the optimiser says so.
    """

    mu: float
    omega: float
    alpha: float
    beta: float
    log_likelihood: float
    converged: bool
    fallback: bool


@dataclass(frozen=True, slots=True)
class HarFit:
    """Variance = constant + weights of the mean squared return of a day, a week and a month; none negative."""

    constant: float
    daily: float
    weekly: float
    monthly: float


@dataclass(frozen=True, slots=True)
class FittedVolatility:
    """Parameters of all models that could be fitted, their out-of-sample QLIKE, and the one to use."""

    chosen: VolatilityModel
    garch: GarchFit
    har: HarFit | None
    qlike: Mapping[VolatilityModel, float]


NO_GARCH = GarchFit(nan, nan, nan, nan, nan, converged=False, fallback=True)


def fit_garch(returns: npt.ArrayLike) -> GarchFit:
    """Maximum likelihood; both presample terms are the mean squared residual (Fiorentini et al. 1996).

    Fewer than 100 returns, a constant series, or an estimate that is not finite or not stationary give
    `fallback`. ValueError on NaN or infinite returns. `arch` estimates with the presample held fixed;
    since the mean squared residual moves with mu, its result is then polished on the exact likelihood.
    """
    values = _returns(returns)
    if len(values) < MINIMUM_RETURNS:
        return NO_GARCH
    centre, scale = float(values.mean()), float(values.std())
    if scale <= NO_MOVE * max(float(np.abs(values).max()), np.finfo(float).tiny):
        return NO_GARCH
    mu, omega, alpha, beta, log_likelihood, converged = _estimate((values - centre) / scale)
    fit = GarchFit(
        mu=centre + scale * mu,
        omega=omega * scale**2,
        alpha=alpha,
        beta=beta,
        log_likelihood=log_likelihood - len(values) * log(scale),
        converged=converged,
        fallback=False,
    )
    usable = all(map(isfinite, (fit.mu, fit.omega, alpha, beta, fit.log_likelihood)))
    return fit if usable and fit.omega > 0 and alpha + beta < 1 else NO_GARCH


def garch_variances(returns: npt.ArrayLike, fit: GarchFit) -> FloatArray:
    """One-step variances, shape (n + 1,): row t is known before return t, the last is the forecast.

    NaN for the first MINIMUM_RETURNS rows: the recursion starts from the mean square of those returns.
    """
    squares = (_returns(returns) - fit.mu) ** 2
    start = _start(squares)
    path = _filtered(fit.omega + fit.alpha * np.concatenate(([start], squares)), fit.beta, start)
    path[:MINIMUM_RETURNS] = nan
    return path


def ewma_variances(returns: npt.ArrayLike, decay: float = EWMA_DECAY) -> FloatArray:
    """One-step variances, shape (n + 1,), of h[t] = decay h[t-1] + (1 - decay) r[t-1]^2; NaN as for GARCH."""
    squares = _returns(returns) ** 2
    start = _start(squares)
    path = np.concatenate(([start], _filtered((1 - decay) * squares, decay, start)))
    path[:MINIMUM_RETURNS] = nan
    return path


def har_variances(returns: npt.ArrayLike, fit: HarFit) -> FloatArray:
    """One-step variances, shape (n + 1,); NaN for the first MONTH_BARS rows, which lack a month."""
    weights = np.array((fit.daily, fit.weekly, fit.monthly))
    return np.asarray(fit.constant + _components(_returns(returns) ** 2) @ weights)


def fit_har(returns: npt.ArrayLike) -> HarFit | None:
    """Least squares with weights that undo the noise's growth with the variance.

    None for too few returns, and for weights under which a variance would feed on itself without end (a sum
    of 1 or more): a market that stood still and then jumped has such ones.
    """
    from scipy.optimize import nnls  # noqa: PLC0415  (see the module's text)

    squares = _returns(returns) ** 2
    if len(squares) < MONTH_BARS + MINIMUM_RETURNS or not squares.any():
        return None
    largest = squares.max()
    squares = squares / largest
    regressors = _components(squares)[MONTH_BARS:-1]
    precision = 1 / np.maximum(regressors[:, 2], NO_MOVE)
    rows = np.column_stack((np.ones(len(regressors)), regressors)) * precision[:, None]
    size = rows.max(axis=0)
    size[size == 0] = 1.0  # nothing moved in any of those spans: its weight is left at 0
    try:
        weights, _ = nnls(rows / size, squares[MONTH_BARS:] * precision)
    except RuntimeError:  # the search for them did not end
        return None
    constant, *of_spans = (float(weight) for weight in weights / size)
    return HarFit(constant * float(largest), *of_spans) if sum(of_spans) < 1 else None


def qlike(returns: npt.ArrayLike, variances: npt.ArrayLike) -> float:
    """Mean of log h + r^2 / h, lower is better; NaN unless every h is positive.

    Source: Patton (2011): with squared returns in place of the true variance the order of models stays
    right, and a return of zero does no harm in this form.
    """
    squares, h = _returns(returns) ** 2, np.asarray(variances, dtype=np.float64)
    if len(h) != len(squares) or len(h) == 0 or not (h > 0).all():
        return nan
    return float(np.mean(np.log(h) + squares / h))


def fit_volatility(returns: npt.ArrayLike) -> FittedVolatility:
    """Choose by QLIKE over the last quarter with parameters of the first three, then fit on everything.

    A model that cannot be fitted or judged is not in `qlike`; without any judgement EWMA is chosen.
    """
    values = _returns(returns)
    garch = fit_garch(values)
    har = fit_har(values)
    scores = _out_of_sample(values)
    fitted = {VolatilityModel.EWMA} | ({VolatilityModel.HAR} if har else set())
    fitted |= set() if garch.fallback else {VolatilityModel.GARCH}
    judged = {model: score for model, score in scores.items() if model in fitted}
    chosen = min(judged, key=lambda model: judged[model], default=VolatilityModel.EWMA)
    return FittedVolatility(chosen, garch, har, judged)


def forecast(fitted: FittedVolatility, returns: npt.ArrayLike, bars: int = 1) -> float:
    """Standard deviation of the sum of the next `bars` returns by the chosen model; NaN where returns are too few.

    GARCH and EWMA need MINIMUM_RETURNS, HAR needs MONTH_BARS. A variance further ahead is what the model
    expects with its own expectations in place of the returns to come. ValueError when `bars` is below 1.
    """
    if bars < 1:
        raise ValueError(f"bars is {bars}, it must be at least 1")
    values = _returns(returns)
    if len(values) < MINIMUM_RETURNS:
        return nan
    if fitted.chosen is VolatilityModel.GARCH:
        variance = _garch_ahead(fitted.garch, values, bars)
    elif fitted.chosen is VolatilityModel.HAR and fitted.har:
        if len(values) < MONTH_BARS:
            return nan
        variance = _har_ahead(fitted.har, values, bars)
    else:
        weights = EWMA_DECAY ** np.arange(len(values) - 1, -1, -1)
        variance = bars * float(weights @ values**2 / weights.sum())
    return variance**0.5 if variance > 0 else nan


def _garch_ahead(fit: GarchFit, values: FloatArray, bars: int) -> float:
    expected = [_last_variance(fit, values)]
    while len(expected) < bars:
        expected.append(fit.omega + (fit.alpha + fit.beta) * expected[-1])
    return sum(expected)


def _har_ahead(fit: HarFit, values: FloatArray, bars: int) -> float:
    """A bar's variance is never expected above the largest square that the window has seen."""
    known, largest = values[-MONTH_BARS:], float(np.square(values).max())
    for _ in range(bars):
        variance = min(float(har_variances(known[-MONTH_BARS:], fit)[-1]), largest)
        known = np.append(known, variance**0.5)
    return float((known[-bars:] ** 2).sum())


def _last_variance(fit: GarchFit, values: FloatArray) -> float:
    """The end of `garch_variances` without its path, so that a decision needs numpy alone."""
    squares = (values - fit.mu) ** 2
    inputs = np.concatenate(([_start(squares)], squares))
    memory = fit.beta ** np.arange(len(inputs) - 1, -1, -1)
    return float(memory @ (fit.omega + fit.alpha * inputs) + fit.beta ** len(inputs) * inputs[0])


def _out_of_sample(values: FloatArray) -> dict[VolatilityModel, float]:
    cut = int(len(values) * TRAINING_SHARE)
    if cut < MINIMUM_RETURNS:
        return {}
    early = values[:cut]
    paths = {VolatilityModel.EWMA: ewma_variances(values)}
    garch, har = fit_garch(early), fit_har(early)
    if not garch.fallback:
        paths[VolatilityModel.GARCH] = garch_variances(values, garch)
    if har:
        paths[VolatilityModel.HAR] = har_variances(values, har)
    scores = {model: qlike(values[cut:], path[cut:-1]) for model, path in paths.items()}
    return {model: score for model, score in scores.items() if isfinite(score)}


def _returns(returns: npt.ArrayLike) -> FloatArray:
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"returns must be 1-D, not {values.ndim}-D")
    if not np.isfinite(values).all():
        raise ValueError(f"return {int(np.argmin(np.isfinite(values)))} is not a finite number")
    return values


def _start(squares: FloatArray) -> float:
    """From the oldest returns only: a mean over all of them would tell early rows of the future."""
    return float(squares[:MINIMUM_RETURNS].mean()) if len(squares) >= MINIMUM_RETURNS else nan


def _components(squares: FloatArray) -> FloatArray:
    """Mean squared return of the day, week and month before each row, shape (n + 1, 3); NaN before a month."""
    summed = np.concatenate(([0.0], np.cumsum(squares)))
    means = np.full((len(squares) + 1, 3), np.nan)
    for column, bars in enumerate((DAY_BARS, WEEK_BARS, MONTH_BARS)):
        means[bars:, column] = np.maximum(summed[bars:] - summed[:-bars], 0) / bars
    means[:MONTH_BARS] = np.nan
    return means


def _filtered(inputs: FloatArray, pole: float, before: float) -> FloatArray:
    """h[t] = inputs[t] + pole h[t-1], starting from h[-1] = `before`."""
    from scipy.signal import lfilter  # noqa: PLC0415  (see the module's text)

    path: FloatArray = lfilter([1.0], [1.0, -pole], inputs, zi=[pole * before])[0]
    return path


def _estimate(scaled: FloatArray) -> tuple[float, float, float, float, float, bool]:
    """mu, omega, alpha, beta, log-likelihood and convergence for returns of mean 0 and deviation 1."""
    from arch import arch_model  # noqa: PLC0415  (see the module's text)
    from scipy.optimize import minimize  # noqa: PLC0415

    model = arch_model(scaled, mean="Constant", vol="GARCH", p=1, q=1, dist="normal", rescale=False)
    start = model.fit(disp="off", show_warning=False, backcast=1.0)
    polished = minimize(
        _loss,
        np.clip(start.params.to_numpy(), (-10, 1e-9, 0, 0), (10, 10, 1, 1)),
        args=(scaled,),
        jac=True,
        method="SLSQP",
        bounds=[(-10, 10), (1e-9, 10), (0, 1), (0, 1)],
        constraints={
            "type": "ineq",
            "fun": lambda p: 1 - 1e-9 - p[2] - p[3],
            "jac": lambda _: np.array([0.0, 0.0, -1.0, -1.0]),
        },
        options={"ftol": 1e-14, "maxiter": 500},
    )
    mu, omega, alpha, beta = (float(value) for value in polished.x)
    log_likelihood = -float(polished.fun) * len(scaled)
    converged = bool(polished.success) or start.convergence_flag == 0
    return mu, omega, alpha, beta, log_likelihood, converged


def _loss(parameters: FloatArray, returns: FloatArray) -> tuple[float, FloatArray]:
    """Mean negative log-likelihood and its gradient; the presample moves with mu and so has a gradient."""
    mu, omega, alpha, beta = parameters
    residuals = returns - mu
    squares = residuals**2
    presample, slope = squares.mean(), -2 * residuals.mean()
    lagged = np.concatenate(([presample], squares[:-1]))
    variances = _filtered(omega + alpha * lagged, beta, presample)
    lagged_slope = np.concatenate(([slope], -2 * residuals[:-1]))
    by_parameter = (
        _filtered(alpha * lagged_slope, beta, slope),
        _filtered(np.ones(len(returns)), beta, 0.0),
        _filtered(lagged, beta, 0.0),
        _filtered(np.concatenate(([presample], variances[:-1])), beta, 0.0),
    )
    weight = 0.5 * (1 - squares / variances) / variances
    gradient = np.array([weight @ each for each in by_parameter]) / len(returns)
    gradient[0] -= (residuals / variances).mean()
    return float(0.5 * np.mean(log(2 * pi) + np.log(variances) + squares / variances)), gradient

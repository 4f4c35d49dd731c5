"""Whether a way to choose weights beat spreading evenly on data that it had not seen, after costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from research.engine.overfitting import walk_forward
from research.engine.portfolio.estimation import checked_returns, estimate
from research.engine.portfolio.inputs import Bounds
from research.engine.portfolio.optimum import optimize
from research.engine.portfolio.spreading import equal_weights, inverse_volatility
from signals.engine.candle import FloatArray
from signals.engine.performance import Interval, bootstrap_interval, sharpe_ratio

EVEN = "1/N"
BY_VOLATILITY = "inverse volatility"
EVERYTHING = 1e-12

Method = Callable[[FloatArray], FloatArray]
Informed = Callable[[FloatArray, int], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """returns: net, one per period out of sample; turnover: mean traded share of the account per choice of weights;
    unanswered: in how many of the `choices` the method had no answer, and 1/N was held."""

    returns: FloatArray
    sharpe_ratio: float
    turnover: float
    choices: int
    unanswered: int


@dataclass(frozen=True, slots=True, eq=False)
class OutOfSample:
    """Records by method, the two plain ones among them, and what to prefer. difference: annual Sharpe ratio of the best
    method minus that of 1/N, with an interval; `sentence` says the verdict and why."""

    records: Mapping[str, Record]
    prefer: str
    difference: float
    interval: Interval
    sentence: str


def optimized(
    objective: str, *, shrink: bool = True, risk_free: float = 0.0, bounds: Bounds = (0, 1), **targets: float
) -> Method:
    """A method for `out_of_sample`: estimate, then optimize."""

    def choose(returns: FloatArray) -> FloatArray:
        mean, covariance = estimate(returns, shrink)
        return optimize(mean, covariance, objective, risk_free, bounds, **targets).weights

    return choose


def out_of_sample(  # noqa: PLR0913  (how it is held, and what is compared)
    returns: npt.ArrayLike,
    methods: Mapping[str, Method],
    *,
    train_rows: int,
    test_rows: int,
    periods_per_year: float,
    cost: float = 0.0,
    level: float = 0.95,
    seed: int = 0,
    informed: Mapping[str, Informed] | None = None,
) -> OutOfSample:
    """Choose weights from the last `train_rows` periods, hold them for `test_rows`, and so on to the end.

    returns: simple, T x n, at least -1. methods: from returns (train_rows x n) to weights; 1/N and inverse volatility
    are always added. informed: methods that know more than returns; each gets the row of the first period that is not
    known yet as well. Between choices weights drift with the prices; `cost` is paid per unit traded, buying into the
    first one too. A method is preferred only where the interval of its lead over 1/N, a paired stationary bootstrap
    at `level` shared among the methods (Bonferroni), is above 0. ValueError in a method means that it has no answer.
    """
    record = checked_returns(returns)
    asked = dict(informed or {})
    if (record < -1).any() or not cost >= 0 or not (methods or asked):
        raise ValueError(
            "returns must be at least -1, cost not negative, and there must be methods to compare"
        )
    folds = walk_forward(len(record), train_rows=train_rows, test_rows=test_rows)
    plain = {EVEN: _even, BY_VOLATILITY: _by_volatility, **methods}
    every: dict[str, Informed] = {name: _uninformed(method) for name, method in plain.items()} | asked
    records = {}
    for name, method in every.items():
        chosen = [_answer(method, record[fold.train], int(fold.test[0])) for fold in folds]
        net, traded = _held(record, [fold.test for fold in folds], [weights for weights, _ in chosen], cost)
        unanswered = sum(not answered for _, answered in chosen)
        sharpe = sharpe_ratio(net, periods_per_year)
        records[name] = Record(net, sharpe, float(np.mean(traded)), len(folds), unanswered)
    strict = 1 - (1 - level) / (len(every) - 1)
    leads = {
        name: _lead(each.returns, records[EVEN].returns, periods_per_year, strict, seed)
        for name, each in records.items()
        if name != EVEN
    }
    return _judged(records, leads, level)


def _judged(
    records: Mapping[str, Record], leads: Mapping[str, tuple[float, Interval]], level: float
) -> OutOfSample:
    best = max(leads, key=lambda name: (leads[name][1].low > 0, np.nan_to_num(leads[name][0], nan=-np.inf)))
    difference, interval = leads[best]
    better = interval.low > 0
    even, own = records[EVEN], records[best]
    lead = f"{difference:+.2f}, {level:.0%} interval {interval.low:+.2f} to {interval.high:+.2f}"
    sentence = (
        f"Prefer {best if better else EVEN}: over {len(own.returns)} periods out of sample the Sharpe ratio of {best}, "
        f"{own.sharpe_ratio:.2f} after costs, is {'above' if better else 'not shown to be above'} the "
        f"{even.sharpe_ratio:.2f} of {EVEN} (difference {lead})."
    )
    if own.unanswered:
        sentence += f" It had no answer in {own.unanswered} of {own.choices} choices and held {EVEN} then."
    return OutOfSample(records, best if better else EVEN, difference, interval, sentence)


def _uninformed(method: Method) -> Informed:
    return lambda known, _: method(known)


def _answer(method: Informed, known: FloatArray, row: int) -> tuple[FloatArray, bool]:
    try:
        weights = np.asarray(method(known, row), dtype=np.float64)
    except ValueError:
        return equal_weights(known.shape[1]), False
    if weights.shape != (known.shape[1],) or abs(weights.sum() - 1) > 1e-6:
        raise TypeError(f"a method must answer {known.shape[1]} weights of sum 1, not {weights}")
    return weights, True


def _held(
    record: FloatArray, tests: list[npt.NDArray[np.int64]], chosen: list[FloatArray], cost: float
) -> tuple[FloatArray, list[float]]:
    """Net return of each period, and what each choice traded as a share of the account."""
    holding, net, traded = np.zeros(record.shape[1]), [], []
    for test, weights in zip(tests, chosen, strict=True):
        traded.append(float(np.abs(weights - holding).sum()))
        grown = weights * np.cumprod(1 + record[test], axis=0)
        worth = np.concatenate(([1.0], grown.sum(axis=1)))
        if (worth <= EVERYTHING).any():
            raise ValueError("returns: weights with short positions lose the whole account")
        period = worth[1:] / worth[:-1]
        period[0] *= 1 - cost * traded[-1]
        net.append(period - 1)
        holding = grown[-1] / worth[-1]
    return np.concatenate(net), traded


def _lead(
    own: FloatArray, even: FloatArray, periods_per_year: float, level: float, seed: int
) -> tuple[float, Interval]:
    def difference(places: FloatArray) -> float:
        rows = places.astype(np.int64)
        return sharpe_ratio(own[rows], periods_per_year) - sharpe_ratio(even[rows], periods_per_year)

    rows = np.arange(len(own), dtype=np.float64)
    return difference(rows), bootstrap_interval(rows, difference, level=level, seed=seed)


def _even(known: FloatArray) -> FloatArray:
    return equal_weights(known.shape[1])


def _by_volatility(known: FloatArray) -> FloatArray:
    return inverse_volatility(np.atleast_2d(np.cov(known, rowvar=False)))

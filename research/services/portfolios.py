"""Portfolios asked for on the page: weights, frontier, risk, and whether it beat 1/N out of sample."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import reduce
from math import isfinite, sqrt
from typing import Any

import numpy as np
from django.db import transaction

from research.engine.portfolio import (
    OBJECTIVES,
    efficient_frontier,
    estimate,
    hierarchical_risk_parity,
    inverse_volatility,
    least_conditional_value_at_risk,
    optimize,
    out_of_sample,
    risk_contributions,
    risk_parity,
)
from research.engine.question import dataset_hash
from research.models import PortfolioStudy
from research.services.signal_views import signal_views, weights_by_views
from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.performance import periods_per_year
from signals.engine.session import AssetClass
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.selectors import load_range
from signals.services.actions import record_action
from signals.services.jobs import start_job

Progress = Callable[[int, int, str], None]
VIEWS = "black_litterman"
SPREADING = ("risk_parity", "hierarchical_risk_parity", "inverse_volatility", "least_cvar", VIEWS)
COST = 0.0012  # of what is traded: taker fee and slippage of the large exchanges
FEWEST_PERIODS = 60
FRONTIER_POINTS = 20
STEPS = 4


@dataclass(frozen=True, slots=True)
class PortfolioRequest:
    """target_return, target_risk and risk_free are of a year, None where not asked. ValueError for what cannot be."""

    instruments: list[int]
    timeframe: str
    start: str
    end: str
    objective: str
    low: float = 0.0
    high: float = 1.0
    risk_free: float = 0.0
    target_return: float | None = None
    target_risk: float | None = None
    shrink: bool = True

    def __post_init__(self) -> None:
        if len(self.instruments) < 2:
            raise ValueError("choose at least two instruments")
        if self.objective not in (*OBJECTIVES, *SPREADING):
            raise ValueError(f"there is no objective called {self.objective!r}")
        if self.objective in {"target_return", "target_risk"} and getattr(self, self.objective) is None:
            raise ValueError(f"say which {self.objective.replace('_', ' ')} is wanted")
        if datetime.fromisoformat(self.start) >= datetime.fromisoformat(self.end):
            raise ValueError("the end must be later than the start")
        if not self.low <= self.high:
            raise ValueError("the least weight must not exceed the greatest")


def ask_for_portfolio(*, request: PortfolioRequest, title: str, owner: str, now: datetime) -> PortfolioStudy:
    with transaction.atomic():
        job = start_job(kind="portfolio", parameters=asdict(request), owner=owner, now=now)
        return PortfolioStudy.objects.create(
            title=title, parameters=asdict(request), owner=owner, job=job, created_at=now
        )


def archive_portfolio(*, study: PortfolioStudy, by: str, now: datetime) -> None:
    with transaction.atomic():
        if PortfolioStudy.objects.filter(pk=study.pk, archived_at=None).update(archived_at=now):
            record_action(actor=by, what="portfolio.archived", target=str(study.pk), now=now)


def carry_out_portfolio(*, study: PortfolioStudy, progress: Progress) -> dict[str, Any]:
    request = PortfolioRequest(**study.parameters)
    progress(0, STEPS, "reads candles")
    markets, asset_class = _markets(request)
    returns = common_returns(list(markets.values()))
    if len(returns) < FEWEST_PERIODS:
        raise ValueError(
            f"the instruments have {len(returns)} periods in common; {FEWEST_PERIODS} are the least"
        )
    periods = periods_per_year(Timeframe(request.timeframe), asset_class)
    mean, covariance = estimate(returns, request.shrink)
    progress(1, STEPS, "optimises")
    choose = _informed(request, periods, _closes(list(markets.values()), Timeframe(request.timeframe)))
    weights = choose(returns, len(returns))
    frontier = efficient_frontier(
        mean, covariance, points=FRONTIER_POINTS, bounds=(request.low, request.high)
    )
    progress(2, STEPS, "holds it out of sample")
    train = max(len(returns) // 3, FEWEST_PERIODS // 2)
    test = max(len(returns) // 20, 5)
    judged = out_of_sample(
        returns,
        {},
        informed={request.objective: choose},
        train_rows=train,
        test_rows=test,
        periods_per_year=periods,
        cost=COST,
    )
    deviation = np.sqrt(covariance.diagonal())
    volatility = sqrt(float(weights @ covariance @ weights))
    names = list(markets)
    report = {
        "instruments": names,
        "weights": weights.tolist(),
        "expected_return": float(weights @ mean) * periods,
        "volatility": volatility * sqrt(periods),
        "sharpe_ratio": _known(
            (float(weights @ mean) * periods - request.risk_free) / (volatility * sqrt(periods))
        ),
        "frontier": [[each.volatility * sqrt(periods), each.expected_return * periods] for each in frontier],
        "assets": [
            [float(each), float(gain)]
            for each, gain in zip(deviation * sqrt(periods), mean * periods, strict=True)
        ],
        "risk": risk_contributions(weights, covariance).tolist(),
        "correlation": (covariance / np.outer(deviation, deviation)).tolist(),
        "periods": len(returns),
        "dataset_hash": dataset_hash(markets),
        "verdict": judged.sentence,
        "prefer": judged.prefer,
        "records": [
            {"name": name, "sharpe": _known(each.sharpe_ratio), "turnover": each.turnover, "n": len(each.returns)}
            for name, each in judged.records.items()
        ],
    }  # fmt: skip
    progress(STEPS, STEPS, f"prefer {judged.prefer}")
    PortfolioStudy.objects.filter(pk=study.pk).update(report=report)
    return {"portfolio": str(study.pk), "verdict": judged.sentence}


def _informed(
    request: PortfolioRequest, periods: float, closes: list[datetime]
) -> Callable[[FloatArray, int], FloatArray]:
    """From returns, and the row that is not known yet, to weights. closes: when each return's period begins."""
    if request.objective != VIEWS:
        plain = method(request, periods)
        return lambda returns, _: plain(returns)

    def by_views(returns: FloatArray, row: int) -> FloatArray:
        views = signal_views(
            instruments=request.instruments,
            as_of=closes[row],
            period_seconds=Timeframe(request.timeframe).seconds,
        )
        return weights_by_views(returns, views, shrink=request.shrink, bounds=(request.low, request.high))

    return by_views


def _closes(markets: list[OHLCV], timeframe: Timeframe) -> list[datetime]:
    """Of the candles that all markets share: the return of row n is known from the close n + 1 on."""
    return [
        datetime.fromtimestamp(timeframe.close_time(int(each)) / 1000, UTC)
        for each in shared_moments(markets)
    ]


def method(request: PortfolioRequest, periods: float) -> Callable[[FloatArray], FloatArray]:
    """From returns to weights, as asked; everything of a year is brought to one period."""

    def choose(returns: FloatArray) -> FloatArray:
        mean, covariance = estimate(returns, request.shrink)
        match request.objective:
            case "risk_parity":
                return risk_parity(covariance)
            case "hierarchical_risk_parity":
                return hierarchical_risk_parity(covariance)
            case "inverse_volatility":
                return inverse_volatility(covariance)
            case "least_cvar":
                return least_conditional_value_at_risk(returns, bounds=(request.low, request.high))
        return optimize(
            mean,
            covariance,
            request.objective,
            request.risk_free / periods,
            (request.low, request.high),
            None if request.target_return is None else request.target_return / periods,
            None if request.target_risk is None else request.target_risk / sqrt(periods),
        ).weights

    return choose


def shared_moments(markets: list[OHLCV]) -> TimeArray:
    shared: TimeArray = reduce(np.intersect1d, [each.open_time for each in markets])
    return shared


def common_returns(markets: list[OHLCV]) -> FloatArray:
    """Simple returns, (T, n), of closes at the moments that all markets share."""
    shared = shared_moments(markets)
    closes = np.column_stack([each.close[np.searchsorted(each.open_time, shared)] for each in markets])
    changes: FloatArray = closes[1:] / closes[:-1] - 1
    return changes


def _markets(request: PortfolioRequest) -> tuple[dict[str, OHLCV], AssetClass]:
    rows = Instrument.objects.select_related("exchange").in_bulk(request.instruments)
    found = {
        f"{rows[pk].exchange.code}:{rows[pk].symbol}": load_range(
            instrument_id=pk,
            timeframe=Timeframe(request.timeframe),
            start=datetime.fromisoformat(request.start),
            end=datetime.fromisoformat(request.end),
        )
        for pk in request.instruments
    }
    return found, AssetClass(rows[request.instruments[0]].asset_class)


def _known(value: float) -> float | None:
    return float(value) if isfinite(value) else None

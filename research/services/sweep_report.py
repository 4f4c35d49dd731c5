"""What a search came to: its trials, what walk-forward made of it, and what may be believed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from research.engine.backtest_report import finite
from research.engine.search import Combination
from research.engine.verdict import Verdict
from research.engine.walk_forward_choice import (
    Choice,
    choose_forward,
    known_sharpe,
    overfitting_of,
    search_folds,
)
from research.models import Study
from research.services.sweep_request import SweepRequest
from research.services.trial_batches import Ran
from research.services.trials import judge
from signals.engine.candle import FloatArray, TimeArray


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    combination: Combination
    ran: Ran


def reported(
    *, request: SweepRequest, study: Study, days: TimeArray, tried: list[Tried], days_per_year: float
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The report as JSON and its columns; ValueError where not one combination could be run."""
    if all(each.ran.returns is None for each in tried):
        raise ValueError(
            f"not one combination could be run: {tried[0].ran.error if tried else 'none was asked'}"
        )
    missing = np.full(len(days), np.nan)
    returns = np.column_stack([missing if each.ran.returns is None else each.ran.returns for each in tried])
    folds = search_folds(len(days), folds=request.folds, purge=request.purge, embargo=request.embargo)
    choices, followed = choose_forward(returns, folds)
    overfitting = overfitting_of(returns)
    scores = [finite(known_sharpe(column, days_per_year)) for column in returns.T]
    known = [-np.inf if each is None else each for each in scores]
    best = int(np.argmax(known))
    judged = judge(
        study=study,
        returns=returns[:, best],
        periods_per_year=days_per_year,
        overfitting=overfitting,
        trades=tried[best].ran.trades,
    )
    out_of_sample = judge(study=study, returns=followed, periods_per_year=days_per_year)
    tested = np.concatenate([each.fold.test for each in choices])
    report = {
        "rows": [
            {"parameters": each.combination, "score": score, "trades": each.ran.trades,
             "total": _total(each.ran.returns), "error": each.ran.error}
            for each, score in zip(tried, scores, strict=True)
        ],
        "best": tried[best].combination,
        "best_row": best,
        "verdict": _words(judged),
        "walk_forward": _words(out_of_sample),
        "overfitting": overfitting,
        "folds": [_fold(each, tried, days, days_per_year) for each in choices],
        "purge": request.purge,
        "embargo": request.embargo,
        "days": len(days),
        "days_per_year": days_per_year,
    }  # fmt: skip
    arrays = {"days": days, "best": returns[:, best], "tested_days": days[tested], "tested": followed}
    return report, arrays


def _fold(choice: Choice, tried: list[Tried], days: TimeArray, days_per_year: float) -> dict[str, Any]:
    year = np.sqrt(days_per_year)
    return {
        "train": [_day(days[choice.fold.train[0]]), _day(days[choice.fold.train[-1]])],
        "test": [_day(days[choice.fold.test[0]]), _day(days[choice.fold.test[-1]])],
        "chosen": tried[choice.column].combination if choice.column >= 0 else None,
        "before": finite(choice.before * year),
        "after": finite(choice.after * year),
    }


def _words(found: Verdict) -> dict[str, Any]:
    return {
        "belief": found.belief.value,
        "sentence": found.sentence,
        "sharpe": _rounded(found.sharpe_ratio),
        "low": _rounded(found.interval.low),
        "high": _rounded(found.interval.high),
        "trials": found.trials,
        "luck": _rounded(found.luck),
        "deflated": _rounded(found.deflated),
        "observations": found.observations,
    }


def _rounded(value: float) -> float | None:
    """The database sums the trials' variance in the order in which its rows lie, so the last digits are its own."""
    return finite(round(value, 9))


def _total(returns: FloatArray | None) -> float | None:
    return None if returns is None else finite(float(np.prod(1 + returns) - 1))


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC).date().isoformat()

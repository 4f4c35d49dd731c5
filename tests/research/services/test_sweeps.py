"""A search is its trials: counted whatever came of them, the same again, and gone on with where it was stopped."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from research.models import Study, Sweep, Trial, TrialState
from research.services.backtests import ask_for_backtest, carry_out_backtest
from research.services.sweep_request import SweepRequest
from research.services.sweeps import ask_for_sweep, carry_out_sweep
from signals.market.models import Instrument
from signals.services.job_run import JobCancelled
from tests.research.services.test_backtests import request_for, silent, two_markets

SPACE = {"period": [5.0, 20.0, 1.0], "stop_atr": [1.0, 3.0, 0.5]}
pytestmark = pytest.mark.django_db


def sweep_request(instruments: list[Instrument], **values: Any) -> SweepRequest:
    return SweepRequest(base=request_for(instruments), **({"space": SPACE, "number": 30} | values))


def asked(request: SweepRequest) -> Sweep:
    return ask_for_sweep(request=request, title="RSI", owner="ada", now=timezone.now())


def done(request: SweepRequest, progress: Callable[[int, int, str], None] = silent) -> Sweep:
    sweep = asked(request)
    carry_out_sweep(sweep=sweep, progress=progress)
    sweep.refresh_from_db()
    return sweep


def kept(sweep: Sweep) -> bytes:
    return json.dumps(sweep.report, sort_keys=True).encode() + bytes(sweep.arrays or b"")


def stopping_at(step: int) -> Callable[[int, int, str], None]:
    def progress(done: int, _total: int, _message: str) -> None:
        if done >= step:
            raise JobCancelled("enough")

    return progress


@pytest.mark.parametrize("method", ["random", "optuna"])
def test_a_cancelled_search_goes_on_to_the_same_bytes(method: str) -> None:
    request = sweep_request(two_markets(), method=method, seed=4)
    with transaction.atomic():
        whole = kept(done(request))
        ran = Trial.objects.count()
        transaction.set_rollback(True)
    with pytest.raises(JobCancelled):
        done(request, stopping_at(27))
    states = list(Trial.objects.values_list("state", flat=True))
    assert states.count(TrialState.CANCELLED) > 0
    assert states.count(TrialState.SUCCEEDED) >= 20
    succeeded = set(Trial.objects.filter(state=TrialState.SUCCEEDED).values_list("pk", flat=True))
    assert kept(done(request)) == whole
    assert Trial.objects.count() == ran
    assert set(Trial.objects.filter(attempt=1).values_list("pk", flat=True)) >= succeeded
    assert set(Trial.objects.values_list("state", flat=True)) == {TrialState.SUCCEEDED}


def test_a_backtest_of_the_same_is_the_same_trial_and_agrees() -> None:
    markets = two_markets()
    sweep = done(sweep_request(markets, space={"period": [13.0, 15.0, 1.0]}))
    assert sweep.report is not None
    assert sweep.report["verdict"]["trials"] == 3
    backtest = ask_for_backtest(
        request=request_for(markets, parameters={}), title="", owner="ada", now=timezone.now()
    )
    carry_out_backtest(backtest=backtest, progress=silent)
    backtest.refresh_from_db()
    assert Study.objects.count() == 1
    assert Trial.objects.count() == 3
    row = next(each for each in sweep.report["rows"] if each["parameters"] == {"period": 14})
    assert backtest.report is not None
    assert row["total"] == pytest.approx(backtest.report["summary"]["Total return"])
    assert row["score"] == pytest.approx(backtest.report["summary"]["Sharpe ratio"])


def test_what_the_candles_cannot_judge_counts_as_failed_and_the_search_goes_on() -> None:
    sweep = done(
        SweepRequest(
            base=request_for(two_markets(), strategy="moving_average"),
            space={"slow": [10.0, 400.0, 10.0], "fast": [2.0, 50.0, 8.0]},
            method="random",
            number=25,
        )
    )
    assert sweep.report is not None
    assert len(sweep.report["rows"]) == 25
    assert all(row["parameters"]["fast"] < row["parameters"]["slow"] for row in sweep.report["rows"])
    failed = [row for row in sweep.report["rows"] if row["error"]]
    assert len(failed) == Trial.objects.filter(state=TrialState.FAILED).count()
    assert sweep.report["verdict"]["trials"] == 25


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"space": {"colour": [1.0, 2.0, 1.0]}}, "space: colour is no parameter"),
        ({"space": {"period": [1.0, 20.0, 1.0]}}, "space: period must be from"),
        ({"space": {"period": [5.0, 20.0, 0.5]}}, "whole numbers"),
        ({"space": {"period": [20.0, 5.0, 1.0]}}, "20 is above 5"),
        ({"method": "magic"}, "method: there is no search"),
        ({"folds": 1}, "folds: 1"),
        ({"embargo": -1}, "embargo"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_its_field(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sweep_request([Instrument(pk=1)], **wrong)

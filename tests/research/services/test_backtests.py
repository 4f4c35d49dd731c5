"""A backtest from the asked row to its report: counted as a trial, the same bytes each time, failures counted too."""

from datetime import UTC, datetime

import numpy as np
import pytest
from django.utils import timezone

from autopilot.engine.simulation import TRADE
from autopilot.services.backtest import HYBRID, run_backtest
from research.models import Backtest, Trial, TrialState
from research.services.backtest_request import BacktestRequest
from research.services.backtests import ask_for_backtest, carry_out_backtest, unpacked
from signals.engine.performance import max_drawdown
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from tests.factories import make_instrument, make_series, store

START = datetime(2025, 1, 1, tzinfo=UTC)


def silent(done: int, total: int, message: str) -> None:
    assert done <= total


def two_markets(bars: int = 2400) -> list[Instrument]:
    found = []
    for seed in (1, 2):
        instrument = make_instrument(market_type="perpetual")
        store(instrument, Timeframe.H1, make_series(bars=bars, start=START, seed=seed))
        found.append(instrument)
    return found


def request_for(instruments: list[Instrument], **values: object) -> BacktestRequest:
    asked = {
        "instruments": [each.pk for each in instruments],
        "strategy": "rsi",
        "timeframe": "1h",
        "start": "2025-01-25T00:00:00+00:00",
        "end": "2025-04-11T00:00:00+00:00",
    }
    return BacktestRequest(**(asked | values))  # type: ignore[arg-type]


def asked(request: BacktestRequest) -> Backtest:
    return ask_for_backtest(request=request, title="RSI", owner="ada", now=timezone.now())


@pytest.mark.django_db
def test_a_backtest_is_a_trial_and_its_report_agrees_with_its_arrays() -> None:
    backtest = asked(request_for(two_markets()))
    answer = carry_out_backtest(backtest=backtest, progress=silent)
    backtest.refresh_from_db()
    arrays, report = unpacked(backtest), backtest.report
    assert report is not None
    assert answer["trial"] == Trial.objects.get().pk
    assert arrays["trades"].dtype == TRADE
    closed = arrays["trades"][arrays["trades"]["exited_at"] >= 0]
    assert len(closed) > 20
    start = datetime(2025, 1, 25, tzinfo=UTC).timestamp() * 1000
    assert arrays["times"][0] == start
    measures = {each["name"]: each for each in report["measures"]}
    assert measures["Total return"]["value"] == pytest.approx(arrays["equity"][-1] / 10_000 - 1)
    assert measures["Win rate"]["value"] == pytest.approx((closed["net_profit"] > 0).mean())
    ends = arrays["equity"][23::24]
    daily = ends / np.concatenate(([10_000], ends[:-1])) - 1
    assert measures["Deepest drawdown"]["value"] == pytest.approx(max_drawdown(daily))
    assert (arrays["optimistic"][-1] >= arrays["equity"][-1]) or report["ambiguous_share"] == 0
    compounded = np.prod([1 + month for year in report["months"] for month in year if month is not None])
    assert compounded == pytest.approx(arrays["equity"][-1] / 10_000)
    assert report["verdict"]["trials"] == 1
    assert backtest.trial is not None
    assert backtest.trial.observations == len(daily)


@pytest.mark.django_db
def test_the_same_request_gives_the_same_bytes_and_another_counts_as_another_trial() -> None:
    markets = two_markets()
    first, again = asked(request_for(markets)), asked(request_for(markets))
    other = asked(request_for(markets, parameters={"period": 20}))
    for each in (first, again, other):
        carry_out_backtest(backtest=each, progress=silent)
        each.refresh_from_db()
    assert bytes(first.arrays or b"") == bytes(again.arrays or b"")
    assert first.trial == again.trial
    assert Trial.objects.count() == 2
    assert other.report is not None
    assert other.report["verdict"]["trials"] == 2


@pytest.mark.django_db
@pytest.mark.parametrize(("page", "command"), [("rsi", "rsi"), ("fused", HYBRID)])
def test_the_page_and_the_command_simulate_the_same(page: str, command: str) -> None:
    markets = two_markets(1200)[: 1 if page == "fused" else 2]
    size = "1" if page == "fused" else "0.5"
    request = request_for(markets, strategy=page, size=size, end="2025-02-08T00:00:00+00:00")
    backtest = asked(request)
    carry_out_backtest(backtest=backtest, progress=silent)
    backtest.refresh_from_db()
    told = run_backtest(
        strategy=command,
        instruments=markets,
        timeframe=Timeframe.H1,
        start=request.first,
        end=request.last,
        costs=request.costs(),
    )
    arrays = unpacked(backtest)
    assert arrays["equity"].tobytes() == told.simulation.equity.tobytes()
    assert arrays["trades"].tobytes() == told.simulation.trades.tobytes()


@pytest.mark.django_db
def test_what_fails_counts_as_a_failed_trial() -> None:
    markets = two_markets(600)
    backtest = asked(request_for(markets, strategy="sentiment"))
    with pytest.raises(ValueError, match="sentiment"):
        carry_out_backtest(backtest=backtest, progress=silent)
    assert Trial.objects.get().state == TrialState.FAILED


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"strategy": "magic"}, "no strategy"),
        ({"parameters": {"period": 0}}, "period is 0"),
        ({"parameters": {"colour": 1}}, "no parameter"),
        ({"end": "2024-01-01T00:00:00+00:00"}, "later than the start"),
        ({"strategy": "fused", "timeframe": "4h"}, "1h candles"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_reason(wrong: dict[str, object], words: str) -> None:
    values = {
        "instruments": [1],
        "strategy": "rsi",
        "timeframe": "1h",
        "start": "2025-01-25T00:00:00+00:00",
        "end": "2025-04-11T00:00:00+00:00",
    }
    with pytest.raises(ValueError, match=words):
        BacktestRequest(**(values | wrong))  # type: ignore[arg-type]

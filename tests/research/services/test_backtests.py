"""A backtest from the asked row to its report: counted as a trial, the same bytes each time, failures counted too."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.utils import timezone

from autopilot.engine.simulation import TRADE
from autopilot.services.backtest import HYBRID, BacktestError, run_backtest
from research.models import Backtest, Trial, TrialState
from research.services.backtest_request import BacktestRequest
from research.services.backtests import ask_for_backtest, carry_out_backtest, unpacked
from signals.engine.performance import max_drawdown
from signals.engine.timeframe import Timeframe
from signals.engine.trend import RULE, trades
from signals.market.models import Instrument
from signals.models import TrainedModel
from tests.factories import make_instrument, make_series, merge_bars, store

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


@pytest.mark.slow
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
def test_the_trend_rule_is_backtested_with_its_managed_exits() -> None:
    series = merge_bars(make_series(bars=9_600, start=START, seed=2), Timeframe.H4)
    market = make_instrument(market_type="spot")
    store(market, Timeframe.H4, series)
    begin = int(np.searchsorted(series.open_time, (START + timedelta(days=40)).timestamp() * 1000))
    request = request_for(
        [market],
        strategy=RULE,
        timeframe="4h",
        size="1",
        start=(START + timedelta(days=40)).isoformat(),
        end=(START + timedelta(days=400)).isoformat(),
    )
    backtest = asked(request)
    carry_out_backtest(backtest=backtest, progress=silent)
    backtest.refresh_from_db()
    made = unpacked(backtest)["trades"]
    told = run_backtest(
        strategy=RULE,
        instruments=[market],
        timeframe=Timeframe.H4,
        start=request.first,
        end=request.last,
        costs=request.costs(),
    )
    assert made.tobytes() == told.simulation.trades.tobytes()
    expected = trades(series, rates=request.costs(), since=begin)
    closed = told.simulation.closed
    assert len(expected) > 5
    assert closed["entered_at"].tolist() == expected.outcomes.entered_at.tolist()
    assert closed["exited_at"].tolist() == expected.outcomes.exited_at.tolist()
    np.testing.assert_allclose(closed["exit_price"], expected.outcomes.exit_price, rtol=1e-6)
    with pytest.raises(BacktestError, match="4h candles"):
        run_backtest(
            strategy=RULE, instruments=[market], timeframe=Timeframe.H1, start=request.first, end=request.last
        )


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
        ({"strategy": "trend_rule"}, "4h candles"),
        ({"strategy": "trend_rule", "timeframe": "4h", "parameters": {"trail_atr": 0.1}}, "trail_atr is 0.1"),
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


@pytest.mark.django_db
def test_a_models_choice_is_tested_on_candles_that_it_has_not_learned_from() -> None:
    markets = two_markets(10)
    model = TrainedModel.objects.create(
        kind="selector", state="candidate", payload=b"-", sha256="0" * 64, payload_format="lightgbm-text",
        feature_schema={"timeframe": "1h"}, data_from=START, data_to=START + timedelta(days=60), code_version="test",
        metrics={}, known_at=START, trained_at=START,
    )  # fmt: skip
    values = {"strategy": f"model:{model.pk}", "start": "2025-01-25T00:00:00+00:00"}
    with pytest.raises(ValueError, match="has learned from candles until"):
        request_for(markets, **values)
    TrainedModel.objects.filter(pk=model.pk).update(data_to=START)
    with pytest.raises(ValueError, match="threshold is 2"):
        request_for(markets, **values, parameters={"threshold": 2.0})
    with pytest.raises(ValueError, match="no selector with the number"):
        request_for(markets, **values | {"strategy": "model:99"})
    assert request_for(markets, **values, parameters={"threshold": 0.4}).model == model.pk
    with pytest.raises(ValueError, match="reads 1h candles"):
        request_for(markets, **values, timeframe="4h")

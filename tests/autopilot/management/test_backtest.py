"""`manage.py backtest`: the figures are the simulation's, twice the same bytes, bad input is one line."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from autopilot.services.backtest import HYBRID, BacktestError, run_backtest
from autopilot.services.backtest_summary import summary
from signals.engine.candle import OHLCV
from signals.engine.cost_rates import CostRates
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from tests.factories import make_instrument, make_series, store

pytestmark = pytest.mark.django_db

START, FIRST, END = (datetime(2024, *each, tzinfo=UTC) for each in ((1, 1), (2, 1), (3, 1)))
BARS = 24 * 60


@pytest.fixture
def pair() -> list[Instrument]:
    instruments = [make_instrument(symbol=f"{base}/USDT", market_type="perpetual") for base in ("AAA", "BBB")]
    for seed, instrument in enumerate(instruments):
        store(instrument, Timeframe.H1, make_series(bars=BARS, start=START, seed=seed))
    return instruments


def asked(**more: Any) -> dict[str, Any]:
    return {"strategy": "moving_average", "timeframe": Timeframe.H1, "start": FIRST, "end": END} | more


def told(*arguments: str) -> str:
    out = StringIO()
    base = ["--instruments", "AAA/USDT", "BBB/USDT", "--from", "2024-02-01", "--to", "2024-03-01"]
    call_command("backtest", *base, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_shows_the_services_figures_and_twice_the_same_bytes(pair: list[Instrument]) -> None:
    heard: list[tuple[int, int, str]] = []
    found = run_backtest(instruments=pair, **asked(), progress=lambda *each: heard.append(each))

    first, second = (told("--strategy", "moving_average", "--json") for _ in range(2))

    assert first == second
    assert json.loads(first) == summary(found)
    assert heard[-1] == (3, 3, "done")
    text = told("--strategy", "moving_average")
    for part in ("worst path", "best path", "AAA/USDT", "1/N", "buy and hold BBB/USDT", "Ended by: "):
        assert part in text


def test_figures_add_up(pair: list[Instrument]) -> None:
    found = run_backtest(instruments=pair, **asked())
    figures = summary(found)
    rows = figures["instruments"].values()
    assert figures["account"]["trades"] == sum(row["trades"] for row in rows) > 5
    assert sum(row["net_profit"] for row in rows) == pytest.approx(figures["account"]["equity"] - 10_000)
    assert figures["optimistic"]["equity"] >= figures["account"]["equity"]
    assert sum(figures["exits"].values()) == len(found.simulation.trades)
    assert found.simulation.trades["entered_at"].min() >= FIRST.timestamp() * 1000


def test_one_over_n_and_buy_and_hold_by_hand(pair: list[Instrument]) -> None:
    free = CostRates(Decimal(0), Decimal(0), Decimal(0))
    found = run_backtest(instruments=pair, **asked(), costs=free)
    candles: list[OHLCV] = [make_series(bars=BARS, start=START, seed=seed) for seed in range(2)]
    first, end = 24 * 31, 24 * 60
    held = [10_000 * each.close[first + 1 : end] / each.open[first + 1] for each in candles]
    assert found.buy_and_hold["AAA/USDT"][1:] == pytest.approx(held[0], rel=1e-6)
    assert found.one_over_n[1:] == pytest.approx(np.mean(held, axis=0), rel=1e-6)


def test_the_fused_decision_is_simulated_too(pair: list[Instrument]) -> None:
    found = run_backtest(instruments=pair[:1], **asked(strategy=HYBRID))
    assert len(found.simulation.times) == 24 * 29
    assert summary(found)["account"]["trades"] >= 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strategy": "luck"}, "no strategy is called luck"),
        ({"strategy": HYBRID, "timeframe": Timeframe.H4}, "made on 1h candles"),
        ({"end": FIRST}, "must be after the start"),
        (
            {"start": datetime(2030, 1, 1, tzinfo=UTC), "end": datetime(2030, 2, 1, tzinfo=UTC)},
            "has no 1h candles",
        ),
        ({"cash": Decimal(0)}, "cash is 0"),
        ({"strategy": "sentiment"}, "sentiment cannot judge"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    pair: list[Instrument], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(BacktestError, match=message):
        run_backtest(instruments=pair, **asked(**change))


def test_instruments_of_two_currencies_are_refused(pair: list[Instrument]) -> None:
    other = make_instrument(symbol="AAA/EUR", quote="EUR")
    store(other, Timeframe.H1, make_series(bars=BARS, start=START, seed=3))
    with pytest.raises(BacktestError, match="one currency"):
        run_backtest(instruments=[pair[0], other], **asked())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategy", "luck"], "no strategy is called luck"),
        (["--strategy", "rsi", "--costs", "1", "2", "5000"], "slippage_bps is 5000"),
        (["--strategy", "rsi", "--costs", "1", "2", "x"], "'x' is no number"),
        (["--strategy", "rsi", "--instruments", "NONE/USDT"], "Unknown instruments: NONE/USDT"),
    ],
)
def test_bad_input_is_one_line(pair: list[Instrument], arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message) as error:
        told(*arguments)
    assert "\n" not in str(error.value)

"""A stretch of candles as a page: which signals count, what a walk is made of, and what the page says of both."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from research.services.strategy_report import Origin, render
from research.services.strategy_study import FUSED, Study, Trades, known_at, random_walks, study
from signals.engine.candle import OHLCV
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext
from signals.engine.volatility import fit_volatility, forecast
from tests.factories import make_series

START = datetime(2024, 1, 1, tzinfo=UTC)
BARS = 9_600
MARKETS = {
    name: make_series(bars=BARS, start=START, seed=seed) for name, seed in (("AAAUSDT", 1), ("BBBUSDT", 2))
}
FROM, TO = START + timedelta(hours=BARS - 400), START + timedelta(hours=BARS - 100)
HOURS = range(BARS - 401, BARS - 101)  # rows whose close lies in [FROM, TO)


@pytest.fixture(scope="module")
def found() -> Study:
    return study(MARKETS, start=FROM, end=TO, every=50, on_market=lambda name: None)


@pytest.mark.parametrize("name", ["macd", "bollinger_mean_reversion"])
def test_a_strategy_counts_what_it_would_have_said_live_at_each_close(found: Study, name: str) -> None:
    said = [
        STRATEGIES[name].evaluate(base[row - 499 : row + 1], DecisionContext(as_of=TO)).confidence[-1]
        for base in MARKETS.values()
        for row in HOURS
    ]

    expected = [confidence for confidence in said if confidence > 0]
    assert len(expected) > 5
    np.testing.assert_allclose(found.trades[name].confidence, expected, rtol=1e-6)


def test_every_strategy_and_the_fused_decision_are_in_it_and_an_absent_input_is_named(found: Study) -> None:
    assert set(found.trades) == {*STRATEGIES, FUSED}
    assert "no sentiment" in found.missing["sentiment"]
    assert found.decisions == 2 * 6
    assert len(found.trades[FUSED]) <= found.decisions


def test_fit_and_partner_are_of_the_past_alone() -> None:
    twin = MARKETS["AAAUSDT"]
    markets = {
        **MARKETS,
        "CCCUSDT": OHLCV(twin.open_time, twin.open, twin.high, twin.low, twin.close**1.1, twin.volume),
    }
    row = 5_000
    closed_at = int(twin.open_time[row]) + 3_600_000

    known = known_at(markets, "AAAUSDT", closed_at)

    expected = fit_volatility(np.diff(np.log(twin.close[row - 2_160 : row + 1])))
    assert known.fitted == expected
    assert known.partner is markets["CCCUSDT"]
    noise = np.where(np.arange(BARS) > row, np.random.default_rng(1).uniform(0.1, 10, BARS), 1.0)
    scrambled = {
        name: OHLCV(each.open_time, each.open, each.high, each.low, each.close * noise, each.volume)
        for name, each in markets.items()
    }
    later = known_at(scrambled, "AAAUSDT", closed_at)
    assert later.fitted == expected
    assert later.partner is scrambled["CCCUSDT"]
    window = twin[row - 499 : row + 1]
    context = known.context(window, closed_at)
    assert context.volatility == forecast(expected, np.diff(np.log(window.close)), 4)
    assert context.partner is not None
    np.testing.assert_array_equal(context.partner.open_time, window.open_time)


def test_a_walk_has_the_times_and_the_volatility_of_its_market_and_bars_that_can_be() -> None:
    real = MARKETS["AAAUSDT"]
    walk = random_walks(MARKETS, seed=7)["AAAUSDT"]

    np.testing.assert_array_equal(walk.open_time, real.open_time)
    assert walk.open[0] == real.open[0]
    assert np.diff(np.log(walk.close)).std() == pytest.approx(np.diff(np.log(real.close)).std(), rel=0.03)
    assert (walk.high >= np.maximum(walk.open, walk.close)).all()
    assert (walk.low <= np.minimum(walk.open, walk.close)).all()
    np.testing.assert_array_equal(np.sort(walk.volume), np.sort(real.volume))
    again = random_walks(MARKETS, seed=7)["AAAUSDT"]
    np.testing.assert_array_equal(walk.close, again.close)


def made_up(r: list[float], confidence: float = 0.55) -> Trades:
    sessions = np.zeros((len(r), 3), dtype=bool)
    return Trades(np.full(len(r), confidence), np.array(r), np.zeros(len(r), dtype=np.int8), sessions)


def page(real: Trades, walk: Trades) -> str:
    origin = Origin("command", "abc", ["AAAUSDT"], FROM, TO, 1, "made up")
    studies = [
        Study(
            {name: trades if name == "rsi" else made_up([]) for name in (*STRATEGIES, FUSED)},
            {"grid": "why"},
            9,
        )
        for trades in (real, walk)
    ]
    return render(origin, *studies)


def test_the_page_gives_the_figures_and_says_that_nothing_was_earned() -> None:
    text = page(made_up([2.0, -1.0, -1.0, -1.0] * 20), made_up([1.0, -1.0] * 50))

    assert "| rsi | 80 | 25.0% | -0.250 | -0.536 to +0.036 | 1 | 100 | 50.0% | +0.000" in text
    assert "none is shown to earn anything" in text
    assert "None is clearly better than on the walk" in text
    assert "25% (80)" in text
    assert "- grid: 0 signals; why" in text


def test_the_page_names_what_stands_out() -> None:
    text = page(made_up([2.0, -1.0] * 100), made_up([1.0, -1.0] * 100))

    assert "After costs, `rsi` earned more than nothing" in text
    assert "Clearly better than on the walk: `rsi`" in text


@pytest.mark.django_db
def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"AAAUSDT_1h\.parquet"):
        call_command("report_strategies", data=tmp_path, pairs=["AAAUSDT"])


def test_an_empty_stretch_gives_no_trades() -> None:
    few: dict[str, OHLCV] = {"AAAUSDT": MARKETS["AAAUSDT"]}
    nothing = study(
        few,
        start=START + timedelta(days=500),
        end=START + timedelta(days=501),
        every=1,
        on_market=lambda name: None,
    )
    assert all(len(trades) == 0 for trades in nothing.trades.values())

"""One closed candle, one evaluation: whatever arrives late, twice or not at all."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice

import pytest
from django.contrib.admin import site
from django.test import Client

from signals.admin.evaluations import EvaluationAdmin
from signals.engine.candle import OHLCV
from signals.engine.hybrid import explain
from signals.engine.ledger import verify
from signals.engine.patterns.multi_timeframe import pattern_scores
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Instrument
from signals.models import Evaluation, LedgerEntry, Signal
from signals.selectors import candles_without_evaluation
from signals.services.anomalies import refresh_forest, score_anomaly
from signals.services.evaluation import evaluate
from signals.services.volatility import refresh_volatility
from tests.factories import make_instrument, make_series, merge_bars, store, tail

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BARS = 24 * 340
SERIES = make_series(bars=BARS, start=START, seed=7)
STORED = {
    Timeframe.H1: tail(SERIES, 800),
    Timeframe.H4: tail(merge_bars(SERIES, Timeframe.H4), 600),
    Timeframe.D1: merge_bars(SERIES, Timeframe.D1),
}

pytestmark = pytest.mark.django_db


def windows_by_hand(as_of: datetime) -> dict[Timeframe, OHLCV]:
    """The newest 500 bars that had closed at `as_of`, cut from the arrays without the database."""
    moment = int(as_of.timestamp() * 1000)
    windows = {}
    for timeframe, candles in STORED.items():
        closed = int((candles.open_time + timeframe.milliseconds <= moment).sum())
        rows = slice(max(0, closed - 500), closed)
        windows[timeframe] = OHLCV(*(getattr(candles, name)[rows] for name in OHLCV.__dataclass_fields__))
    return windows


@cache
def has_signal(close: datetime) -> bool:
    return explain(windows_by_hand(close), DecisionContext(as_of=close)).signal is not None


def signal_close(number: int = 0, days: tuple[int, ...] = tuple(range(7))) -> datetime:
    """The close of one of the last candles that give a signal: the number-th of those on these weekdays."""
    closes = (START + HOUR * n for n in range(BARS - 200, BARS))
    return next(islice((c for c in closes if c.weekday() in days and has_signal(c)), number, None))


@pytest.fixture
def instrument() -> Instrument:
    instrument = make_instrument()
    for timeframe, candles in STORED.items():
        store(instrument, timeframe, candles)
    return instrument


def test_the_stored_decision_equals_the_engine_on_windows_cut_by_hand(instrument: Instrument) -> None:
    closed_at = signal_close()
    expected = explain(windows_by_hand(closed_at), DecisionContext(as_of=closed_at)).signal
    assert expected is not None

    evaluation = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    assert evaluation is not None
    signal = evaluation.signal
    assert signal is not None
    assert (signal.direction, signal.strategy) == (expected.direction.value, expected.strategy)
    assert signal.confidence == pytest.approx(expected.confidence, rel=1e-9)
    assert signal.stop_loss == pytest.approx(expected.stop_loss, rel=1e-9)


def test_an_evaluation_keeps_the_forecast_that_drew_its_stop(instrument: Instrument) -> None:
    closed_at = signal_close()
    fit = refresh_volatility(instrument=instrument, as_of=closed_at - 2 * HOUR, now=closed_at)
    assert fit is not None

    evaluation = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    assert evaluation is not None
    assert evaluation.signal is not None
    assert evaluation.features["volatility_model"] == fit.chosen
    assert evaluation.features["volatility_qlike"] == fit.qlike[fit.chosen]
    risk = abs(evaluation.signal.entry_price - evaluation.signal.stop_loss)
    assert risk == pytest.approx(1.6 * evaluation.features["volatility"] * evaluation.signal.entry_price)
    shown = EvaluationAdmin(Evaluation, site).shown_volatility(evaluation)
    assert fit.chosen.upper() in shown
    assert f"{fit.qlike[fit.chosen]:.3f}" in shown


def test_an_evaluation_keeps_pattern_and_anomaly_scores_and_shows_them(
    instrument: Instrument, admin_client: Client
) -> None:
    closed_at = signal_close()
    forest = refresh_forest(instrument=instrument, as_of=closed_at - 2 * HOUR, now=closed_at)
    assert forest is not None

    evaluation = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    assert evaluation is not None
    windows = windows_by_hand(closed_at)
    expected = {name: each[-1] for name, each in pattern_scores(windows).items()}
    kept = {name: evaluation.features[f"pattern_{name}"] for name in ("1h", "4h", "1d", "combined")}
    assert kept == pytest.approx(expected)
    base = windows[Timeframe.H1]
    score = score_anomaly(instrument_id=instrument.pk, window=base, as_of=closed_at).score
    assert evaluation.features["anomaly"] == score
    shown = EvaluationAdmin(Evaluation, site)
    assert shown.shown_patterns(evaluation) == " / ".join(
        f"{expected[name]:+.2f}" for name in ("1h", "4h", "1d")
    )
    assert shown.shown_anomaly(evaluation) == f"{score:.2f}"
    evaluation.features["anomaly"] = 0.71
    assert shown.shown_anomaly(evaluation) == "0.71 unusual"
    assert shown.shown_anomaly(Evaluation()) == "–"
    assert shown.shown_patterns(Evaluation()) == "– / – / –"
    evaluation.save()
    page = admin_client.get(f"/admin/signals/evaluation/{evaluation.pk}/change/").content.decode()
    assert "0.71 unusual" in page


def test_an_evaluation_without_a_fit_says_that_its_stop_is_the_ranges(instrument: Instrument) -> None:
    closed_at = signal_close()

    evaluation = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    assert evaluation is not None
    assert "ATR: there is no volatility forecast" in evaluation.reason
    assert evaluation.features["volatility_missing"] == "no fit yet"
    assert EvaluationAdmin(Evaluation, site).shown_volatility(evaluation) == "ATR: no fit yet"


@pytest.mark.parametrize(
    ("asset_class", "weekend", "said"),
    [
        ("forex", True, "the forex market is closed at"),
        ("forex", False, None),
        ("crypto", True, None),
        ("stock", False, "stocks need their exchange's calendar"),
    ],
)
def test_a_signal_on_a_closed_market_is_refused_with_the_reason(
    instrument: Instrument, asset_class: str, weekend: bool, said: str | None
) -> None:
    """Saturdays and Mondays to Thursdays only: the hours between are the engine's own tests' matter."""
    days = (5,) if weekend else (0, 1, 2, 3)
    closed_at = signal_close(days=days)
    Instrument.objects.update(asset_class=asset_class)
    instrument.refresh_from_db()

    evaluation = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    assert evaluation is not None
    assert (evaluation.outcome == "refused") is (said is not None)
    assert (evaluation.signal is None) is (said is not None)
    assert said is None or evaluation.reason.startswith(said)
    assert evaluation.score is not None


def test_evaluating_a_candle_twice_leaves_one_row_and_one_signal(instrument: Instrument) -> None:
    closed_at = signal_close()

    first = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)
    second = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    assert first == second
    assert Signal.objects.count() == Evaluation.objects.count() == 1


def test_a_candle_found_an_hour_late_is_judged_but_not_published(instrument: Instrument) -> None:
    closed_at = signal_close()

    evaluation = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at + HOUR)

    assert evaluation is not None
    assert evaluation.outcome == "refused"
    assert "too late" in evaluation.reason
    assert not Signal.objects.exists()


def test_while_the_four_hour_candle_is_on_its_way_nothing_is_decided(instrument: Instrument) -> None:
    closed_at = START + timedelta(days=335)
    Candle.objects.filter(timeframe="4h", open_time=closed_at - 4 * HOUR).delete()

    waiting = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)
    given_up = evaluate(
        instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at + timedelta(minutes=5)
    )

    assert waiting is None
    assert given_up is not None
    assert given_up.outcome == "refused"
    assert "4h: the candle of 2025-12-01 20:00Z has not arrived" in given_up.reason


def test_later_candles_do_not_change_a_decision(instrument: Instrument) -> None:
    closed_at = signal_close()
    Candle.objects.filter(open_time__gte=closed_at).update(close=1.0, low=0.5)
    expected = explain(windows_by_hand(closed_at), DecisionContext(as_of=closed_at)).signal
    assert expected is not None

    evaluation = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    assert evaluation is not None
    assert evaluation.signal is not None
    assert evaluation.signal.entry_price == expected.entry_price


def test_the_sweeper_finds_the_newest_candle_first_and_then_every_one_that_was_missed(
    instrument: Instrument,
) -> None:
    as_of = START + timedelta(days=330)

    assert candles_without_evaluation(exchange_code="binance", as_of=as_of) == [(instrument.pk, as_of - HOUR)]

    evaluate(instrument=instrument, candle_open_time=as_of - HOUR, as_of=as_of)
    later = as_of + 3 * HOUR + timedelta(minutes=10)

    missed = candles_without_evaluation(exchange_code="binance", as_of=later)
    assert [opened for _, opened in missed] == [as_of, as_of + HOUR, as_of + 2 * HOUR]


def test_the_ledger_of_published_signals_verifies(instrument: Instrument) -> None:
    for closed_at in (signal_close(number) for number in range(3)):
        evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    stored = Signal.objects.order_by("ledger_entry_id")

    assert [signal.sequence for signal in stored] == [1, 2, 3]
    assert verify(LedgerEntry.objects.entries()) is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"taker_bps": Decimal(300)}, "times the costs of 6.04%"),
        ({"tick_size": Decimal(50)}, "ticks away, nearer than 5"),
    ],
)
def test_a_stop_within_the_instrument_s_own_costs_or_ticks_is_refused_before_publication(
    instrument: Instrument, values: dict[str, Decimal], reason: str
) -> None:
    closed_at = signal_close()
    Instrument.objects.filter(pk=instrument.pk).update(**values)
    instrument.refresh_from_db()

    evaluation = evaluate(
        instrument=instrument, candle_open_time=closed_at - timedelta(hours=1), as_of=closed_at
    )

    assert evaluation is not None
    assert (evaluation.outcome, evaluation.signal) == ("refused", None)
    assert reason in evaluation.reason

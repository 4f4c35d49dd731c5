"""Fits are made once a day from what had closed, stored, and forecast like the engine does."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.hybrid import Decision, Heard, HybridSettings, explain
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe
from signals.engine.volatility import fit_volatility, forecast
from signals.market.models import Instrument
from signals.market.selectors import load_window
from signals.models import VolatilityFit
from signals.services.anomalies import refresh_forest, score_anomaly
from signals.services.evaluation import judge, load_windows
from signals.services.volatility import Forecast, forecast_volatility, refresh_volatility
from tests.factories import make_instrument, make_series, merge_bars, store, tail

pytestmark = pytest.mark.django_db

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SERIES = make_series(bars=1_200, start=START, seed=4)
AS_OF = START + 1_000 * HOUR


@pytest.fixture
def instrument() -> Instrument:
    instrument = make_instrument()
    store(instrument, Timeframe.H1, SERIES)
    return instrument


def refresh(instrument: Instrument, as_of: datetime = AS_OF) -> VolatilityFit | None:
    return refresh_volatility(instrument=instrument, as_of=as_of, now=as_of)


def predicted(instrument: Instrument, as_of: datetime = AS_OF) -> Forecast:
    window = load_window(instrument_id=instrument.pk, timeframe=Timeframe.H1, bars=500, as_of=as_of)
    return forecast_volatility(instrument_id=instrument.pk, window=window, as_of=as_of)


def test_a_stored_fit_forecasts_what_the_engine_forecasts_from_the_same_candles(
    instrument: Instrument,
) -> None:
    row = refresh(instrument)
    assert row is not None
    assert (row.fitted_through, row.returns_used) == (AS_OF, 999)

    returns = np.diff(np.log(SERIES.close[:1_000]))
    fitted = fit_volatility(returns)
    assert row.chosen == fitted.chosen.value
    assert row.qlike == pytest.approx({model.value: score for model, score in fitted.qlike.items()})
    expected = predicted(instrument)
    assert expected.deviation == pytest.approx(forecast(fitted, returns[-499:], 4), rel=1e-9)
    assert expected.features() == {
        "volatility": expected.deviation,
        "volatility_model": row.chosen,
        "volatility_qlike": min(row.qlike.values()),
    }


def test_a_fit_is_made_once_a_day(instrument: Instrument) -> None:
    assert refresh(instrument)
    assert refresh(instrument) is None
    assert refresh(instrument, AS_OF + DAY - timedelta(seconds=1)) is None
    assert refresh(instrument, AS_OF + DAY)
    assert VolatilityFit.objects.count() == 2


def test_a_decision_reads_no_fit_that_was_made_of_later_candles(instrument: Instrument) -> None:
    refresh(instrument)

    assert predicted(instrument, AS_OF - HOUR) == Forecast(None, "no fit yet")
    assert predicted(instrument).deviation is not None


def test_a_fit_that_was_made_minutes_after_a_close_is_unknown_to_that_close(instrument: Instrument) -> None:
    """Live decides within seconds of the close; what a later replay decides must not depend on that."""
    row = refresh(instrument, AS_OF + timedelta(minutes=7))

    assert row is not None
    assert row.fitted_through == AS_OF
    assert predicted(instrument, AS_OF) == Forecast(None, "no fit yet")
    assert predicted(instrument, AS_OF + HOUR).fit == row


def test_a_fit_older_than_a_week_is_not_used(instrument: Instrument) -> None:
    refresh(instrument)

    assert predicted(instrument, AS_OF + 7 * DAY).deviation is not None
    assert "too old" in predicted(instrument, AS_OF + 7 * DAY + HOUR).missing


def test_too_few_candles_give_neither_a_fit_nor_a_forecast() -> None:
    instrument = make_instrument()
    store(instrument, Timeframe.H1, tail(SERIES, 50))

    assert refresh(instrument, START + 1_200 * HOUR) is None
    assert predicted(instrument, START + 1_200 * HOUR).deviation is None


def test_a_window_too_short_for_the_chosen_model_forecasts_nothing(instrument: Instrument) -> None:
    refresh(instrument)
    expected = forecast_volatility(instrument_id=instrument.pk, window=SERIES[:60], as_of=AS_OF)
    assert expected.deviation is None
    assert "too few candles" in expected.missing


def test_a_market_that_stands_still_is_stored_as_a_fallback_and_forecasts_nothing() -> None:
    still = make_series(bars=300, start=START, volatility=0.0)
    instrument = make_instrument()
    store(instrument, Timeframe.H1, still)
    as_of = START + 300 * HOUR

    row = refresh(instrument, as_of)

    assert row is not None
    assert (row.chosen, row.garch, row.har, row.qlike) == ("ewma", None, None, {})
    expected = predicted(instrument, as_of)
    assert expected.features() == {"volatility_missing": "the fit is a fallback: no model could be judged"}
    assert expected.deviation is None


def test_a_decision_is_told_the_forecast_and_how_unusual_its_bar_is(
    instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    for timeframe in (Timeframe.H4, Timeframe.D1):
        store(instrument, timeframe, merge_bars(SERIES, timeframe))
    as_of = START + 1_008 * HOUR
    refresh(instrument, as_of)
    refresh_forest(instrument=instrument, as_of=as_of, now=as_of)
    told: list[DecisionContext] = []

    def listening(
        windows: dict[Timeframe, OHLCV],
        context: DecisionContext,
        settings: HybridSettings,
        heard: Heard | None,
    ) -> Decision:
        told.append(context)
        return explain(windows, context, settings, heard)

    monkeypatch.setattr("signals.services.evaluation.explain", listening)

    decision = judge(instrument=instrument, as_of=as_of)

    window = load_windows(instrument_id=instrument.pk, as_of=as_of)[Timeframe.H1]
    expected = forecast_volatility(instrument_id=instrument.pk, window=window, as_of=as_of)
    assert told[0].volatility is not None
    assert told[0].volatility == expected.deviation
    assert expected.features().items() <= decision.features.items()
    unusual = score_anomaly(instrument_id=instrument.pk, window=window, as_of=as_of)
    assert told[0].anomaly is not None
    assert told[0].anomaly == unusual.score

"""Forests are grown once a day from what had closed, stored as plain arrays, and score as the engine does."""

from datetime import UTC, datetime, timedelta

import pytest

from signals.engine.patterns.anomaly import anomaly_features
from signals.engine.patterns.isolation_forest import anomaly_score, fit_isolation_forest
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import AnomalyForest
from signals.services.anomalies import Anomaly, refresh_forest, score_anomaly
from tests.factories import make_instrument, make_series, store, tail

pytestmark = pytest.mark.django_db

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SERIES = make_series(bars=700, start=START, seed=4)
AS_OF = START + 400 * HOUR


@pytest.fixture
def instrument() -> Instrument:
    instrument = make_instrument()
    store(instrument, Timeframe.H1, SERIES)
    return instrument


def refresh(instrument: Instrument, as_of: datetime = AS_OF) -> AnomalyForest | None:
    return refresh_forest(instrument=instrument, as_of=as_of, now=as_of)


def score(instrument: Instrument, as_of: datetime = AS_OF) -> Anomaly:
    return score_anomaly(instrument_id=instrument.pk, window=SERIES[:400], as_of=as_of)


def test_the_stored_forest_has_seen_the_past_only_and_scores_as_the_engine_does(
    instrument: Instrument,
) -> None:
    row = refresh(instrument)

    assert row is not None
    assert (row.fitted_through, row.rows_used) == (AS_OF, 385)
    past = anomaly_features(SERIES[:400])
    grown = fit_isolation_forest(past, seed=int(AS_OF.timestamp()) // 3600)
    expected = float(anomaly_score(grown, past)[-1])
    assert score(instrument) == Anomaly(expected)
    assert score(instrument).features() == {"anomaly": expected}


def test_a_forest_is_grown_once_a_day_and_deleted_a_week_later(instrument: Instrument) -> None:
    assert refresh(instrument)
    assert refresh(instrument, AS_OF + DAY - timedelta(seconds=1)) is None
    assert refresh(instrument, AS_OF + DAY)
    assert AnomalyForest.objects.count() == 2

    refresh(instrument, AS_OF + 7 * DAY + HOUR)

    assert AnomalyForest.objects.filter(fitted_through=AS_OF).count() == 0
    assert AnomalyForest.objects.count() == 2


def test_no_forest_grown_later_or_older_than_a_week_is_asked(instrument: Instrument) -> None:
    refresh(instrument)

    assert score(instrument, AS_OF - HOUR).features() == {"anomaly_missing": "no forest yet"}
    assert score(instrument, AS_OF + 7 * DAY).score is not None
    assert "too old" in score(instrument, AS_OF + 7 * DAY + HOUR).missing


def test_a_forest_grown_minutes_after_a_close_is_unknown_to_that_close(instrument: Instrument) -> None:
    refresh(instrument, AS_OF + timedelta(minutes=7))

    assert score(instrument, AS_OF).score is None
    assert score(instrument, AS_OF + HOUR).score is not None


def test_a_window_too_short_for_the_features_has_no_score(instrument: Instrument) -> None:
    refresh(instrument)
    found = score_anomaly(instrument_id=instrument.pk, window=SERIES[:10], as_of=AS_OF)
    assert found == Anomaly(None, "too few candles to score")


def test_too_few_candles_grow_no_forest() -> None:
    instrument = make_instrument()
    store(instrument, Timeframe.H1, tail(SERIES, 100))

    assert refresh(instrument, START + 700 * HOUR) is None
    assert score(instrument, START + 700 * HOUR).score is None


def test_a_forest_whose_bytes_are_not_those_written_is_named_and_not_asked(instrument: Instrument) -> None:
    row = refresh(instrument)
    assert row is not None
    AnomalyForest.objects.filter(pk=row.pk).update(arrays=bytes(row.arrays)[:-1] + b"x")

    found = score(instrument)
    assert found.score is None
    assert "has been altered: delete the row" in found.missing

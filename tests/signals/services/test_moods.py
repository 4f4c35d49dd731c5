"""A close knows the readings that had come by then, and no others."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from signals.engine.moment import milliseconds
from signals.market.models import Instrument, SentimentReading
from signals.services.moods import BARS, known_mood, moods_at_closes
from tests.signals.conftest import at

NOW = at("2026-07-01 12:00")
HOUR = timedelta(hours=1)


def keep(instrument: Instrument, source: str, score: float, published: datetime, fetched: datetime) -> None:
    SentimentReading.objects.create(
        instrument=instrument, source=source, score=score, published_at=published, fetched_at=fetched
    )


@pytest.fixture
def told(bitcoin: Instrument) -> Instrument:
    keep(bitcoin, "xai_seed", 0.8, NOW - 3 * HOUR, NOW - 2.5 * HOUR)
    keep(bitcoin, "finnhub_seed", 0.6, NOW - 3 * HOUR, NOW - 0.5 * HOUR)
    return bitcoin


def test_each_close_knows_what_had_come_by_then(told: Instrument) -> None:
    known = known_mood(instrument_id=told.pk, as_of=NOW)
    assert known.newest.score == pytest.approx((0.6 * 0.8 + 0.4 * 0.6) * 0.5**0.5)
    assert known.history is not None
    assert len(known.history) == BARS
    assert np.isnan(known.history[:-1]).all()


def test_the_future_changes_nothing(told: Instrument) -> None:
    before = known_mood(instrument_id=told.pk, as_of=NOW)
    keep(told, "xai_seed", -1.0, NOW - HOUR, NOW + HOUR)
    keep(told, "finnhub_news", -1.0, NOW, NOW + timedelta(seconds=1))
    after = known_mood(instrument_id=told.pk, as_of=NOW)
    assert after.newest == before.newest
    np.testing.assert_array_equal(after.history, before.history)


def test_an_outage_is_neutral_and_flagged(told: Instrument) -> None:
    known = known_mood(instrument_id=told.pk, as_of=NOW + 30 * HOUR)
    assert known.newest.score is None
    assert known.newest.features()["sentiment"] == 0.0
    assert "no reading of x and news" in str(known.newest.features()["sentiment_fallback"])


def test_another_instruments_mood_is_not_ours(told: Instrument) -> None:
    assert known_mood(instrument_id=told.pk + 1, as_of=NOW).history is None


def test_a_backtest_reads_at_each_close_what_live_knew_then(told: Instrument) -> None:
    keep(told, "xai_seed", -0.2, NOW + 5 * HOUR, NOW + 7.5 * HOUR)
    closes = [NOW + place * HOUR for place in range(-30, 40)]
    many = moods_at_closes(
        instrument_id=told.pk, closes=np.array([milliseconds(close) for close in closes], dtype=np.int64)
    )
    assert many is not None
    live = [known_mood(instrument_id=told.pk, as_of=close).newest.score for close in closes]
    np.testing.assert_array_equal(many, [np.nan if score is None else score for score in live])
    assert 15 < np.isfinite(many).sum() < len(closes)

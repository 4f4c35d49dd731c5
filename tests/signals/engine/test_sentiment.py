"""What readings say together: two origins or nothing, what is old fades, what came later does not exist."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals.engine.sentiment import HALF_LIFE, LONGEST, Origin, Reading, SentimentSource, left_of, mood_at

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
X, XS = SentimentSource.XAI_RESPONSES, SentimentSource.XAI_SEED
NEWS = SentimentSource.FINNHUB_NEWS


def said(
    source: SentimentSource, score: float, hours: float = 0.0, *, late: float = 0.0, **more: int
) -> Reading:
    published = NOW - timedelta(hours=hours)
    return Reading(source, published, published + timedelta(hours=late), score, **more)


def test_both_origins_are_weighted_as_the_seed_does() -> None:
    mood = mood_at([said(X, 0.5), said(NEWS, 1.0)], NOW)
    assert mood.score == pytest.approx(0.6 * 0.5 + 0.4 * 1.0)
    assert mood.fallback == ""


@pytest.mark.parametrize(
    "alone", [[said(X, 1.0)], [said(NEWS, -1.0)], [said(X, 1.0), said(XS, 1.0)], []], ids=len
)
def test_one_origin_alone_moves_nothing_and_says_so(alone: list[Reading]) -> None:
    mood = mood_at(alone, NOW)
    assert mood.score is None
    assert "no reading of" in mood.fallback
    assert mood.features()["sentiment"] == 0.0
    assert mood.features()["sentiment_fallback"] == mood.fallback


def test_two_that_contradict_each_other_are_neutral() -> None:
    assert mood_at([said(X, 0.9), said(NEWS, -0.1)], NOW).score == 0.0


def test_it_halves_every_half_life_and_ends() -> None:
    hours = HALF_LIFE.total_seconds() / 3600
    scores = [mood_at([said(X, 0.8, hours * n), said(NEWS, 0.8, hours * n)], NOW).score for n in range(5)]
    assert scores[:4] == [pytest.approx(0.8 * 0.5**n) for n in range(4)]
    assert scores[4] is None
    assert left_of(LONGEST) == 0


def test_a_newer_reading_outweighs_an_older_one() -> None:
    mood = mood_at([said(X, -1.0, 6), said(X, 1.0, 0), said(NEWS, 1.0)], NOW)
    assert mood.origins[Origin.X] == pytest.approx((1 - 0.5) / 1.5)


@pytest.mark.parametrize(
    "later",
    [said(X, 1.0, 1, late=1.01), said(X, 1.0, -0.01), said(X, 1.0, n=0), said(X, 1.0, is_degraded=True),
     said(X, float("nan")), said(X, 1.5)],
    ids=["fetched later", "of later", "of nobody", "uncited", "no number", "another scale"],
)  # fmt: skip
def test_what_was_not_known_then_or_cannot_be_counts_as_absent(later: Reading) -> None:
    assert mood_at([later, said(NEWS, 1.0)], NOW) == mood_at([said(NEWS, 1.0)], NOW)


@settings(max_examples=50)
@given(
    st.lists(
        st.builds(
            said,
            st.sampled_from(list(SentimentSource)),
            st.floats(-1, 1),
            st.floats(-5, 40),
            late=st.floats(0, 5),
        )
    )
)
def test_the_future_never_speaks_and_the_score_stays_in_range(readings: list[Reading]) -> None:
    mood = mood_at(readings, NOW)
    past = [each for each in readings if each.fetched_at <= NOW and each.published_at <= NOW]
    assert mood == mood_at(past, NOW)
    assert mood.score is None or -1 <= mood.score <= 1

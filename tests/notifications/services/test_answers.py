"""What the bot says about a subscriber's settings."""

from datetime import UTC, datetime

import pytest

from notifications.services.answers import delay_words, status, welcome
from tests.notifications.rows import make_subscriber, make_tier

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, ""), (45, "45 seconds"), (60, "60 seconds"), (90, "90 seconds"), (900, "15 minutes")],
)
def test_delay_is_told_in_minutes_where_it_is_some(seconds: int, words: str) -> None:
    subscriber = make_subscriber(tier=make_tier(delay_seconds=seconds))
    assert delay_words(subscriber) == words
    said = welcome(subscriber, chat_id=1).html
    assert ("after publication" in said) == bool(words)
    assert words in said


def test_sessions_are_told_as_a_trader_writes_them() -> None:
    subscriber = make_subscriber(
        tier=make_tier(max_sessions=2), preference={"sessions": ["london", "new_york"]}
    )
    assert "Sessions: London, New York" in status(subscriber, chat_id=1, now=datetime.now(UTC)).html


def test_nobody_without_a_session_waits_in_vain_unknowing() -> None:
    subscriber = make_subscriber(tier=make_tier(max_sessions=2))
    said = status(subscriber, chat_id=1, now=datetime.now(UTC)).html
    assert "Sessions: none chosen, so no signals" in said


def test_only_the_sessions_that_the_tier_has_are_told() -> None:
    """Those beyond bring no signals, for example after a downgrade."""
    subscriber = make_subscriber(
        tier=make_tier(max_sessions=1), preference={"sessions": ["london", "new_york"]}
    )
    said = status(subscriber, chat_id=1, now=datetime.now(UTC)).html
    assert "Sessions: London" in said
    assert "New York" not in said

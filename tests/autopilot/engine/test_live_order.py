"""The states of an order at an exchange: time ends none, and only a person ends what is unknown without evidence."""

from datetime import timedelta

import pytest

from autopilot.engine.live_order import (
    FINAL,
    FOLLOWERS,
    LiveState,
    TransitionError,
    pause_before,
    require_step,
)


def test_final_states_have_no_follower() -> None:
    assert not FINAL & FOLLOWERS.keys()
    assert FOLLOWERS.keys() | FINAL == set(LiveState)


def test_what_may_be_there_is_never_dropped_once_it_was_sent() -> None:
    for state in (LiveState.UNKNOWN, LiveState.ACKED, LiveState.PART_FILLED):
        assert LiveState.DROPPED not in FOLLOWERS[state]
        assert LiveState.NEW not in FOLLOWERS[state]
        assert LiveState.SUBMITTING not in FOLLOWERS[state]


def test_a_person_decides_only_what_is_unknown() -> None:
    assert [state for state, after in FOLLOWERS.items() if LiveState.DECIDED in after] == [LiveState.UNKNOWN]


def test_a_step_that_is_not_allowed_is_refused() -> None:
    require_step(LiveState.NEW, LiveState.SUBMITTING)
    with pytest.raises(TransitionError, match="cannot become"):
        require_step(LiveState.FILLED, LiveState.ACKED)


def test_looks_slow_down_to_five_minutes() -> None:
    pauses = [pause_before(look) for look in range(40)]
    assert pauses[0] == timedelta(seconds=1)
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(minutes=5)

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from signals.engine.moment import instant, milliseconds


@given(st.integers(-(10**13), 10**14))
def test_every_millisecond_comes_back(moment: int) -> None:
    assert milliseconds(instant(moment)) == moment


def test_an_instant_counts_the_same_in_every_zone_and_nothing_is_rounded_up() -> None:
    moment = datetime(2025, 1, 1, 12, 0, 0, 999_999, tzinfo=UTC)
    assert milliseconds(moment) == 1_735_732_800_999
    assert milliseconds(moment.astimezone(timezone(timedelta(hours=9)))) == 1_735_732_800_999

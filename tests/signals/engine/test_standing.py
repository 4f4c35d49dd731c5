"""On a walk an answer is asked once between two changes, and is never another than asking gives."""

from datetime import UTC, datetime, timedelta

from signals.engine.standing import standing, walking

START = datetime(2025, 1, 1, tzinfo=UTC)
CHANGES = [START + timedelta(hours=hours) for hours in (3, 3, 7, 20)]


def test_a_walk_hears_what_asking_says_and_asks_once_between_changes() -> None:
    asked: list[datetime] = []

    def ask(as_of: datetime) -> int:
        asked.append(as_of)
        return sum(change <= as_of for change in CHANGES)

    def answer(hours: int) -> int:
        as_of = START + timedelta(hours=hours)
        return standing("x", as_of, changes=lambda: [None, *CHANGES], ask=lambda: ask(as_of))

    order = [*range(24), 5, 0, 23]
    plain = [answer(hours) for hours in order]
    assert len(asked) == len(order)
    asked.clear()
    with walking():
        assert [answer(hours) for hours in order] == plain
    assert len(asked) == 4

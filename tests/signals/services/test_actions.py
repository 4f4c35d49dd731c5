"""What was done stays on record, whoever did it and whatever becomes of them."""

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from signals.models import Action
from signals.services.actions import record_action

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def record(actor: str = "ada") -> Action:
    return record_action(
        actor=actor,
        what="tier.changed",
        target="tier VIP",
        now=NOW,
        before={"delay_seconds": 0},
        after={"delay_seconds": 60},
        address="127.0.0.1",
    )


def test_an_action_keeps_who_did_what_in_words() -> None:
    action = Action.objects.get(pk=record().pk)

    assert (action.actor, action.what, action.target, action.at) == ("ada", "tier.changed", "tier VIP", NOW)
    assert (action.before, action.after) == ({"delay_seconds": 0}, {"delay_seconds": 60})


@pytest.mark.parametrize(
    "statement",
    ["UPDATE signals_action SET actor = 'eve'", "DELETE FROM signals_action", "TRUNCATE signals_action"],
)
def test_an_action_cannot_be_changed_or_removed(statement: str) -> None:
    record()

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert Action.objects.get().actor == "ada"


def test_an_action_without_an_actor_is_refused() -> None:
    with pytest.raises(ValueError, match="actor"):
        record(actor=" ")

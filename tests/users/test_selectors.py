"""The history of a row tells what a value was and what it became."""

import pytest
from django.test import Client

from tests.notifications.rows import make_subscriber, make_tier
from users.selectors import changes_of

pytestmark = pytest.mark.django_db


def test_each_changed_field_is_told_with_its_old_and_new_value_the_newest_first() -> None:
    tier = make_tier(delay_seconds=900, name="Free")
    tier.delay_seconds, tier.name = 600, "Basic"
    tier.save()
    tier.delay_seconds = 0
    tier.save()

    found = [(change.field, change.old, change.new) for change in changes_of(tier)]

    assert found[0] == ("delay seconds", 600, 0)
    assert sorted(found[1:]) == [("delay seconds", 900, 600), ("name", "Free", "Basic")]
    assert changes_of(make_tier()) == []


def test_history_page_shows_old_and_new_and_no_personal_data(admin_client: Client) -> None:
    subscriber = make_subscriber(display_name="Ada", risk_profile="low")
    assert "No value of this row was changed" in page(admin_client, subscriber.pk)
    subscriber.risk_profile, subscriber.display_name = "medium", "Beatrix"
    subscriber.save()

    shown = page(admin_client, subscriber.pk)

    assert "low → medium" in shown
    assert "Ada →" not in shown


def page(client: Client, pk: int) -> str:
    answer = client.get(f"/admin/users/subscriber/{pk}/history/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())

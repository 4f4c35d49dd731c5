"""A/B tests in the console: a wrong plan says why, a right one is started, watched and ended."""

import pytest
from django.test import Client
from django.urls import reverse

from signals.models import Experiment
from users.models import User


@pytest.mark.django_db
def test_a_plan_that_cannot_be_keeps_what_was_typed(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss", "boss@example.org", "a-password-1"))
    typed = {
        "name": "Memory", "question": "Is longer better?", "assignment": "block", "block_hours": "",
        "variant": "long-memory", "share": "0.5", "parameter_memory_bars": "12",
    }  # fmt: skip
    answer = client.post(reverse("research:experiments"), typed)
    assert answer.status_code == 422
    assert "block_hours" in answer.content.decode()
    assert 'value="12"' in answer.content.decode()
    assert not Experiment.objects.exists()
    assert client.post(reverse("research:experiments"), typed | {"block_hours": "24"}).status_code == 302
    control, variant = Experiment.objects.get().arms.order_by("position")
    changed = {name for name in variant.settings if variant.settings[name] != control.settings[name]}
    assert changed == {"memory_bars"}


@pytest.mark.django_db
def test_looking_planning_and_ending_are_rights_of_their_own(client: Client) -> None:
    client.force_login(User.objects.create_user("eve", "eve@example.org", "a-password-1", is_staff=True))
    assert client.get(reverse("research:experiments")).status_code == 403
    assert client.post(reverse("research:experiment_end", args=[1]), {}).status_code == 403

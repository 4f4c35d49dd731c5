"""SECOND_FACTOR_REQUIRED: nothing but setting one up is open to staff without one."""

from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from users.models import User

pytestmark = pytest.mark.django_db


def test_staff_without_a_factor_set_one_up_first(client: Client, settings: Any) -> None:
    user = User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    client.force_login(user)
    assert client.get("/admin/").status_code == 200
    settings.SECOND_FACTOR_REQUIRED = True
    assert client.get("/admin/").headers["location"] == "/accounts/2fa/"
    assert client.post("/admin/console/live/act/", {"do": "ask"}).status_code == 403
    assert client.get("/accounts/2fa/").status_code == 200
    assert client.get("/accounts/sessions/").status_code == 200
    assert Client().get("/livez").status_code == 200
    TOTP.activate(user, generate_totp_secret())
    assert client.get("/admin/").status_code == 200

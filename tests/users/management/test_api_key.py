"""Keys at the terminal."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.notifications.rows import make_tier
from users.engine.api_key import key_hash
from users.models import ApiKey, User

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command("api_key", *words, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.fixture(autouse=True)
def boss() -> User:
    return User.objects.create_superuser("boss", "boss@example.com", "a-password-1")


def test_key_is_printed_alone_once_and_never_listed() -> None:
    key = run("create", "--user", "boss", "--scopes", "read", "trade", "train", "--days", "30").strip()

    row = ApiKey.objects.get()
    assert row.key_hash == key_hash(key)
    assert row.scopes == ["read", "trade", "train"]
    listed = run("list")
    assert row.prefix in listed
    assert key not in listed
    assert "good until" in listed


def test_key_is_revoked_by_number_or_beginning() -> None:
    run("create", "--name", "one")
    run("create", "--name", "two", "--tier", make_tier(code="free").code)
    one, two = ApiKey.objects.order_by("pk")

    assert "is revoked" in run("revoke", str(one.pk))
    assert "was revoked already" in run("revoke", "one")
    assert "is revoked" in run("revoke", two.prefix)
    assert run("list").count("revoked 20") == 2
    with pytest.raises(CommandError, match="0 keys are called"):
        run("revoke", "99999")


def test_what_cannot_be_is_said_in_a_sentence() -> None:
    with pytest.raises(CommandError, match="nobody is called eve"):
        run("create", "--user", "eve")
    with pytest.raises(CommandError, match="no tier has the code gold"):
        run("create", "--tier", "gold")
    User.objects.create_superuser("two", "two@example.com", "a-password-1")
    with pytest.raises(CommandError, match="--user NAME"):
        run("create")

"""The kill switch: one call stops, two and a reason start again, and every change is on record."""

import os
import pwd
import uuid
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone

from signals.apps import install_kill_switch
from signals.models import LONGEST_NAME, KillSwitch, KillSwitchChange
from signals.selectors import sending_allowed
from signals.services.kill_switch import (
    CONFIRM_WITHIN,
    KillSwitchError,
    confirm_rearm,
    engage,
    request_rearm,
)
from users.models import User

pytestmark = pytest.mark.django_db
PAGE = "/admin/signals/killswitch/"


def record() -> list[tuple[str, str, str]]:
    """What was recorded after the installation, oldest first."""
    entries = KillSwitchChange.objects.order_by("id").values_list("event", "changed_by", "reason")
    return list(entries)[1:]


def without_triggers(statement: str) -> None:
    """What only the database's owner can do."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_new_system_is_armed_and_says_so() -> None:
    assert sending_allowed()
    assert list(KillSwitchChange.objects.values_list("event", "changed_by")) == [("armed", "migrate")]


def test_engaged_switch_is_armed_by_a_reason_and_a_second_confirmation() -> None:
    now = timezone.now()
    engage(reason=" wrong prices ", by="ada", now=now)
    assert not sending_allowed()
    code = request_rearm(reason="prices are right", by="ada", now=now)
    assert not sending_allowed()
    confirm_rearm(code=code, by="bob", now=now + CONFIRM_WITHIN - timedelta(seconds=1))
    assert sending_allowed()
    assert record() == [
        ("engaged", "ada", "wrong prices"),
        ("rearm_requested", "ada", "prices are right"),
        ("armed", "bob", "prices are right"),
    ]


def test_confirmation_works_once() -> None:
    now = timezone.now()
    engage(reason="a", by="ada", now=now)
    code = request_rearm(reason="b", by="ada", now=now)
    confirm_rearm(code=code, by="ada", now=now)
    engage(reason="c", by="ada", now=now)
    with pytest.raises(KillSwitchError, match="No open request"):
        confirm_rearm(code=code, by="ada", now=now)
    assert not sending_allowed()


@pytest.mark.parametrize("spoilt", ["late", "other", "engaged again", "asked again"])
def test_confirmation_that_is_not_of_the_open_request_arms_nothing(spoilt: str) -> None:
    now = timezone.now()
    engage(reason="a", by="ada", now=now)
    code = request_rearm(reason="b", by="ada", now=now)
    if spoilt == "late":
        now += CONFIRM_WITHIN
    elif spoilt == "other":
        code = uuid.uuid4()
    elif spoilt == "engaged again":
        engage(reason="c", by="bob", now=now)
    else:
        request_rearm(reason="c", by="bob", now=now)
    with pytest.raises(KillSwitchError):
        confirm_rearm(code=code, by="ada", now=now)
    assert not sending_allowed()


@pytest.mark.parametrize("reason", ["", "  "])
def test_engaging_without_a_reason_is_refused(reason: str) -> None:
    with pytest.raises(KillSwitchError, match="Say why"):
        engage(reason=reason, by="ada", now=timezone.now())
    assert sending_allowed()


def test_emergency_does_not_wait_for_a_shorter_reason() -> None:
    assert engage(reason="x" * 400, by="ada", now=timezone.now()).reason == "x" * 300
    assert not sending_allowed()


@pytest.mark.parametrize("reason", ["", "  ", "x" * 301])
def test_rearming_without_a_reason_is_refused(reason: str) -> None:
    engage(reason="a", by="ada", now=timezone.now())
    with pytest.raises(KillSwitchError, match="Say why"):
        request_rearm(reason=reason, by="ada", now=timezone.now())


def test_armed_switch_is_not_armed_again() -> None:
    with pytest.raises(KillSwitchError, match="on already"):
        request_rearm(reason="a", by="ada", now=timezone.now())


def test_row_that_is_gone_counts_as_engaged_and_no_migration_arms_it() -> None:
    without_triggers("DELETE FROM signals_killswitch")
    assert not sending_allowed()
    install_kill_switch(using="default")
    assert not sending_allowed()
    now = timezone.now()
    with pytest.raises(KillSwitchError, match="row is gone"):
        request_rearm(reason="a", by="ada", now=now)
    engage(reason="a", by="ada", now=now)
    confirm_rearm(code=request_rearm(reason="b", by="ada", now=now), by="ada", now=now)
    assert sending_allowed()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE signals_killswitch SET state = 'armed'",
        "DELETE FROM signals_killswitch",
        "TRUNCATE signals_killswitch",
        "UPDATE signals_killswitchchange SET reason = 'other'",
        "DELETE FROM signals_killswitchchange",
        "TRUNCATE signals_killswitchchange",
    ],
)
def test_database_refuses_what_goes_around_the_service(statement: str) -> None:
    engage(reason="a", by="ada", now=timezone.now())
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert not sending_allowed()
    assert record() == [("engaged", "ada", "a")]


def test_row_that_is_gone_is_not_put_back_armed() -> None:
    engage(reason="a", by="ada", now=timezone.now())
    without_triggers("DELETE FROM signals_killswitch")
    with pytest.raises(DatabaseError, match="confirmed request"), transaction.atomic():
        KillSwitch.objects.create(state="armed", reason="b", changed_by="bob", changed_at=timezone.now())
    assert not sending_allowed()


def test_change_by_hand_is_on_record_too() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE signals_killswitch SET state = 'engaged', reason = 'psql', changed_by = 'dba'")
    assert record() == [("engaged", "dba", "psql")]


def test_command_engages_and_arms_again_in_two_steps(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("kill_switch", "engage", "--reason", "a", "--by", "ada")
    assert not sending_allowed()
    call_command("kill_switch", "rearm", "--reason", "b", "--by", "ada")
    assert not sending_allowed()
    code = capsys.readouterr().out.split()[-1]
    with pytest.raises(CommandError, match="No open request"):
        call_command("kill_switch", "rearm", "--confirm", str(uuid.uuid4()))
    call_command("kill_switch", "rearm", "--confirm", code, "--by", "bob")
    assert sending_allowed()
    call_command("kill_switch", "status")
    assert "by bob: b" in capsys.readouterr().out


def test_page_engages_and_arms_again_in_two_steps(admin_client: Client) -> None:
    assert "Sending on: messages go out." in admin_client.get(PAGE).content.decode()
    admin_client.post(PAGE, {"action": "engage", "reason": "a <b>"})
    page = admin_client.get(PAGE).content.decode()
    assert "Sending stopped: nothing goes out." in page
    assert "a &lt;b&gt;" in page
    admin_client.post(PAGE, {"action": "request", "reason": "b"})
    assert not sending_allowed()
    assert "Confirm: send again" in admin_client.get(PAGE).content.decode()
    code = KillSwitch.objects.get().rearm_code
    admin_client.post(PAGE, {"action": "confirm", "code": str(code)})
    assert sending_allowed()
    assert record()[-1] == ("armed", "admin", "b")


def test_page_keeps_what_was_typed_when_it_is_refused(admin_client: Client) -> None:
    page = admin_client.post(PAGE, {"action": "request", "reason": "too early"}).content.decode()
    assert "too early" in page
    assert "on already" in page
    assert "Say why" in admin_client.post(PAGE, {"action": "engage", "reason": " "}).content.decode()
    assert sending_allowed()
    engage(reason="a", by="ada", now=timezone.now())
    typed = "y" * 301
    page = admin_client.post(PAGE, {"action": "request", "reason": typed}).content.decode()
    assert typed in page
    assert KillSwitch.objects.get().rearm_code is None


def test_page_changes_nothing_on_get_or_for_somebody_without_the_right(
    admin_client: Client, client: Client
) -> None:
    admin_client.get(PAGE, {"action": "engage", "reason": "a"})
    assert client.post(PAGE, {"action": "engage", "reason": "a"}).status_code == 302
    client.force_login(User.objects.create(username="guest", is_staff=True))
    assert client.post(PAGE, {"action": "engage", "reason": "a"}).status_code == 403
    assert sending_allowed()


def test_engaged_switch_is_told_everywhere_and_fails_no_probe(admin_client: Client) -> None:
    before = admin_client.get("/readyz")
    assert before.json()["kill_switch"] == "armed"
    assert "copilot_kill_switch_engaged 0.0" in admin_client.get("/metrics").content.decode()
    engage(reason="a", by="ada", now=timezone.now())
    after = admin_client.get("/readyz")
    assert after.json() == before.json() | {"kill_switch": "engaged"}
    assert after.status_code == before.status_code
    assert "copilot_kill_switch_engaged 1.0" in admin_client.get("/metrics").content.decode()
    assert "Sending is stopped" in admin_client.get("/admin/").content.decode()


def test_command_names_the_account_that_ran_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("USER", raising=False)  # as in a unit of systemd or a cron job
    call_command("kill_switch", "engage", "--reason", "a")
    assert record() == [("engaged", pwd.getpwuid(os.getuid()).pw_name, "a")]


def test_command_names_the_number_of_an_account_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    call_command("kill_switch", "engage", "--reason", "a")
    assert record() == [("engaged", "uid 4000000000", "a")]


def test_command_in_an_emergency_takes_any_bytes_and_a_long_name() -> None:
    call_command("kill_switch", "engage", "--reason", "stop\udcff\n now\0", "--by", "x" * 1000)
    ((state, by, reason),) = record()
    assert (state, by, reason) == (
        "engaged",
        "x" * LONGEST_NAME,
        "stop?\n now",
    )


def test_command_without_a_name_or_a_database_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="Say who"):
        call_command("kill_switch", "engage", "--reason", "a", "--by", " ")

    def away(*args: object, **kwargs: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "cursor", away)
    with pytest.raises(CommandError, match="database does not answer"):
        call_command("kill_switch", "engage", "--reason", "a")

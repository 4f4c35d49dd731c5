from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from signals.services.liveness import record_heartbeat

pytestmark = pytest.mark.django_db


def beat(name: str, *, age_seconds: int) -> datetime:
    at = timezone.now() - timedelta(seconds=age_seconds)
    record_heartbeat(name=name, expected_every_seconds=15, now=at)
    return at


def test_fresh_heartbeat_passes(capsys: pytest.CaptureFixture[str]) -> None:
    beat("sender", age_seconds=20)
    call_command("check_heartbeat", "sender")
    assert capsys.readouterr().out.startswith("sender was alive")


def test_three_missed_beats_fail_with_age_and_period() -> None:
    beat("sender", age_seconds=60)
    with pytest.raises(CommandError, match=r"sender was last alive [6-9]\d s ago; it is expected every 15 s"):
        call_command("check_heartbeat", "sender")


def test_one_process_does_not_answer_for_another() -> None:
    beat("beat", age_seconds=0)
    with pytest.raises(CommandError, match="sender has never given a sign of life; known: beat"):
        call_command("check_heartbeat", "sender")

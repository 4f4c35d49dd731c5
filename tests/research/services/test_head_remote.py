"""Heads in a git remote: appended when they are public, never rewritten, refused where others stand."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from research.selectors.ledger_export import head_file
from research.services.head_remote import FILE, append_heads
from signals.models import Alarm, LedgerHead
from signals.services.ledger_heads import sign_head
from tests.notifications.rows import make_signal, make_tier

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def remote(tmp_path: Path, settings: Settings) -> Path:
    """A bare repository, one signed head, a tier that waits a quarter of an hour."""
    settings.LEDGER_SIGNING_KEY = "ab" * 32
    make_tier(delay_seconds=900)
    make_signal(published_at=NOON - MINUTE)
    sign_head(now=NOON)
    git("init", "--quiet", "--bare", str(tmp_path / "heads.git"))
    return tmp_path / "heads.git"


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def held(remote: Path) -> str:
    return git("-C", str(remote), "show", f"HEAD:{FILE}")


def test_heads_are_appended_once_everybody_may_see_them(remote: Path) -> None:
    assert append_heads(remote=str(remote), now=NOON + 14 * MINUTE) == 0
    assert append_heads(remote=str(remote), now=NOON + 15 * MINUTE) == 1
    assert append_heads(remote=str(remote), now=NOON + 16 * MINUTE) == 0
    sign_head(now=NOON + 20 * MINUTE)
    assert append_heads(remote=str(remote), now=NOON + 34 * MINUTE) == 0
    assert append_heads(remote=str(remote), now=NOON + 35 * MINUTE) == 1
    expected = b"".join(head_file(head) for head in LedgerHead.objects.order_by("id"))
    assert held(remote) == expected.decode()
    assert git("-C", str(remote), "rev-list", "--count", "HEAD").strip() == "2"
    assert not Alarm.objects.exists()


def test_other_heads_there_are_left_alone_and_told(remote: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    git("clone", "--quiet", str(remote), str(copy))
    (copy / FILE).write_text("another history\n")
    git("-C", str(copy), "add", FILE)
    git(
        "-C", str(copy), "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "-m", "x"
    )
    git("-C", str(copy), "push", "--quiet", "origin", "HEAD")
    assert append_heads(remote=str(remote), now=NOON + 15 * MINUTE) == 0
    assert held(remote) == "another history\n"
    assert "other heads" in Alarm.objects.get(cleared_at=None).detail


def test_a_remote_that_fails_is_told_without_its_address_and_tried_again(remote: Path) -> None:
    secret = f"{remote}-secret"
    assert append_heads(remote=secret, now=NOON + 15 * MINUTE) == 0
    alarm = Alarm.objects.get(cleared_at=None)
    assert "git clone ended with" in alarm.detail
    assert "secret" not in alarm.detail
    assert append_heads(remote=str(remote), now=NOON + 25 * MINUTE) == 1
    assert not Alarm.objects.filter(cleared_at=None).exists()

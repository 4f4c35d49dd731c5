"""A signed head reaches the chat that is named, once, in a form that the verifier reads."""

import html
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.models import HeadAnnouncement
from notifications.services.head_announcements import tell_heads
from signals.models import LedgerHead
from signals.services.ledger_heads import sign_head
from tests.notifications.rows import Controls, make_signal
from tests.static.test_verify_ledger import script

pytestmark = pytest.mark.django_db
CHAT = -770_900
NOW = datetime.now(UTC)


@pytest.fixture
def staff(telegram: Controls, settings: Settings) -> Controls:
    telegram.post("/chats", {"id": CHAT, "first_name": "Staff"})
    settings.LEDGER_SIGNING_KEY, settings.LEDGER_HEAD_CHAT_ID = "ab" * 32, CHAT
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL = DEFAULT_TOKEN, telegram.url
    make_signal(published_at=NOW - timedelta(days=9))
    return telegram


def test_a_head_is_told_once_and_an_old_one_never(staff: Controls, settings: Settings) -> None:
    sign_head(now=NOW - timedelta(days=8))
    head = sign_head(now=NOW)
    assert head is not None
    url, settings.TELEGRAM_API_URL = settings.TELEGRAM_API_URL, "http://127.0.0.1:1"
    assert tell_heads(now=NOW) == 0
    assert not HeadAnnouncement.objects.exists(), "Telegram has not seen it: it is told later"
    settings.TELEGRAM_API_URL = url
    assert tell_heads(now=NOW) == 1
    assert tell_heads(now=NOW) == 0
    (told,) = (record["text"] for record in staff.sent(CHAT))
    found = re.search(r"<pre>(.*)</pre>", told)
    line = html.unescape(found.group(1)) if found else told[told.index("{") : told.rindex("}") + 1]
    assert json.loads(line) == LedgerHead.objects.get(pk=head.pk).as_json()
    script.check_head(script.parse(line), {head.public_key})


def test_nobody_is_told_where_no_chat_is_named(staff: Controls, settings: Settings) -> None:
    settings.LEDGER_HEAD_CHAT_ID = None
    sign_head(now=NOW)
    assert tell_heads(now=NOW) == 0
    assert not HeadAnnouncement.objects.exists()

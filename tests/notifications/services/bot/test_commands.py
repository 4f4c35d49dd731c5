"""What each command does and says."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission

from notifications.models import Delivery
from notifications.services.bot.commands import COMMANDS
from notifications.services.bot.registry import STAFF_COMMANDS
from notifications.services.fan_out import fan_out
from notifications.services.reply import AnswerReply
from signals.models import KillSwitch
from signals.services.kill_switch import engage
from tests.notifications.rows import make_outcome, make_signal, make_subscriber, make_tier
from tests.notifications.services.bot.conversation import NOW, Conversation
from users.models import StaffChat, Subscriber, User
from users.services import issue_link_token, issue_staff_token

pytestmark = pytest.mark.django_db

NAMED = "start help settings last performance verify pause resume stop tier status"


@pytest.fixture
def chat() -> Conversation:
    make_subscriber(chat_id=77)
    return Conversation()


def sent(**values: object) -> Delivery:
    """A signal that the person of the chat was sent."""
    signal = make_signal(published_at=NOW - timedelta(hours=3), **values)
    fan_out(signal=signal)
    Delivery.objects.filter(signal=signal).update(state="sent", sent_at=NOW)
    return Delivery.objects.filter(signal=signal).first() or Delivery()


def test_all_commands_are_registered_and_help_names_them(chat: Conversation) -> None:
    assert set(COMMANDS) >= set(NAMED.split())
    said = chat.write("/help")
    assert all(f"/{name} – " in said for name in COMMANDS)
    assert "/kill" not in said


@pytest.mark.parametrize("name", NAMED.split())
def test_every_command_is_answered_to_a_subscriber_and_to_a_stranger(chat: Conversation, name: str) -> None:
    assert chat.write(f"/{name}")
    assert chat.outcome != "asked for help" or name == "help"
    assert Conversation(chat_id=1234).write(f"/{name}")


def test_pause_is_at_once_and_may_be_made_shorter_and_resume_ends_it(chat: Conversation) -> None:
    chat.write("/pause")
    assert fan_out(signal=make_signal(published_at=NOW + timedelta(days=300))) == 0
    chat.press_text("1 hour")
    assert chat.outcome == "paused for 1 h"
    assert fan_out(signal=make_signal(published_at=NOW + timedelta(minutes=59))) == 0
    assert fan_out(signal=make_signal(published_at=NOW + timedelta(minutes=61))) == 1
    chat.write("/pause")
    chat.write("/resume")
    assert fan_out(signal=make_signal(published_at=NOW + timedelta(minutes=1))) == 1


def test_stop_asks_once_and_an_old_question_does_nothing(chat: Conversation) -> None:
    chat.write("/stop")
    old = chat.buttons[0].data
    assert Subscriber.objects.get().status == "active"
    chat.press_text("No, go on")
    assert Subscriber.objects.get().status == "active"
    chat.now += timedelta(hours=1)
    chat.press(old)
    assert (chat.outcome, Subscriber.objects.get().status) == ("question too old", "active")
    chat.write("/stop")
    chat.press_text("Yes, stop")
    assert (chat.outcome, Subscriber.objects.get().status) == ("stopped", "archived")
    assert fan_out(signal=make_signal()) == 0


def test_code_may_be_typed_alone() -> None:
    subscriber = make_subscriber(chat_id=None)
    chat = Conversation()
    chat.write(issue_link_token(subscriber=subscriber, now=NOW))
    assert chat.outcome == "linked"


def test_codes_are_not_guessed() -> None:
    subscriber = make_subscriber(chat_id=None)
    chat = Conversation()
    for number in range(5):
        chat.write(f"/start guess-{number}")
        assert chat.outcome == "not linked: unknown"
    token = issue_link_token(subscriber=subscriber, now=NOW)
    chat.write(f"/start {token}")
    assert chat.outcome == "not linked: too many codes"
    other = Conversation(chat_id=78)
    other.write("/start guess")
    assert other.outcome == "not linked: unknown", "another chat is another's"
    chat.now += timedelta(minutes=10)
    chat.write(f"/start {issue_link_token(subscriber=subscriber, now=chat.now)}")
    assert chat.outcome == "linked"


def test_phone_chooses_the_first_language() -> None:
    subscriber = make_subscriber(chat_id=None)
    chat = Conversation(language="de-AT")
    chat.write(f"/start {issue_link_token(subscriber=subscriber, now=NOW)}")
    subscriber.refresh_from_db()
    assert subscriber.language == "de"


def test_performance_is_that_of_the_tier_and_tells_no_end_early() -> None:
    make_subscriber(chat_id=77, tier=make_tier(delay_seconds=900))
    chat = Conversation()
    assert "None that your tier may know of" in chat.write("/performance")
    old = sent()
    make_outcome(signal=old.signal, r_multiple=1.5, recorded_at=NOW - timedelta(minutes=14))
    assert "None that your tier may know of" in chat.write("/performance")
    chat.now += timedelta(minutes=2)
    said = chat.write("/performance")
    assert "+1.50 R" in said
    assert "1 signal since 2026-05-04" in said
    quick = make_signal(published_at=NOW - timedelta(hours=3))
    make_outcome(
        signal=quick,
        r_multiple=9.0,
        exited_at=quick.published_at + timedelta(minutes=10),
        recorded_at=NOW - timedelta(hours=2),
    )
    make_outcome(
        signal=make_signal(published_at=NOW, experimental=True), recorded_at=NOW - timedelta(hours=1)
    )
    said = chat.write("/performance")
    assert "+1.50 R" in said
    assert "1 more ended or expired before your tier had them" in said


def test_receipt_comes_with_the_head_and_only_for_signals_of_this_chat(
    chat: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from notifications.services.bot.commands import verify  # noqa: PLC0415

    delivery = sent()
    chat.write("/verify")
    [offered] = chat.buttons
    assert "next daily head" in chat.press(offered.data)
    receipt = {"type": "receipt", "head": {"size": 1}}
    monkeypatch.setattr(verify, "receipt_for", lambda **asked: receipt)
    chat.press(offered.data)
    assert isinstance(chat.reply, AnswerReply)
    assert chat.reply.followed_by is not None
    assert chat.reply.followed_by.document is not None
    assert json.loads(chat.reply.followed_by.document.content) == receipt
    make_subscriber(chat_id=78)
    other = Conversation(chat_id=78)
    other.press(f"v:{delivery.public_id.hex}")
    assert other.outcome == "not a button of this chat"


def test_kill_switch_is_over_receipts_too(chat: Conversation) -> None:
    delivery = sent()
    engage(reason="test", by="test", now=NOW)
    chat.write("/verify")
    assert chat.buttons == []
    chat.press(f"v:{delivery.public_id.hex}")
    assert chat.outcome == "no receipt: sending is stopped"


# --- staff


@pytest.fixture
def staff() -> User:
    return User.objects.create_user("ops", "ops@example.com", "x", is_staff=True)


def allow(user: User, *codenames: str) -> None:
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))


def test_staff_chat_is_linked_once_and_its_rights_are_read_at_each_command(staff: User) -> None:
    chat = Conversation(chat_id=500)
    token = issue_staff_token(user=staff, now=NOW)
    chat.write(f"/start {token}")
    assert chat.outcome == "linked: staff"
    Conversation(chat_id=501).write(f"/start {token}")
    assert StaffChat.objects.get().chat_id == 500
    assert set(STAFF_COMMANDS) == {"status", "kill"}
    assert "/kill" in chat.write("/help")
    chat.write("/kill")
    assert chat.outcome == "refused: no permission"
    allow(staff, "change_killswitch", "view_heartbeat")
    assert "System status" in chat.write("/status")
    chat.write("/kill")
    allow(staff)
    chat.press_text("Yes, stop everything")
    assert chat.outcome == "refused: no permission"
    assert not KillSwitch.objects.exclude(state="armed").exists()
    allow(staff, "change_killswitch")
    chat.write("/kill")
    chat.press_text("No")
    assert not KillSwitch.objects.exclude(state="armed").exists()
    chat.write("/kill")
    chat.press_text("Yes, stop everything")
    switch = KillSwitch.objects.get()
    assert (switch.state, switch.changed_by) == ("engaged", "ops")
    assert chat.write("/arm") == chat.write("/help"), "re-arming is never done by chat"


def test_somebody_who_is_staff_no_more_has_no_staff_chat(staff: User) -> None:
    chat = Conversation(chat_id=500)
    chat.write(f"/start {issue_staff_token(user=staff, now=NOW)}")
    allow(staff, "change_killswitch")
    User.objects.update(is_active=False)
    chat.write("/kill")
    assert chat.outcome == "asked for help"
    chat.press(f"k:y{int(NOW.timestamp())}")
    assert not KillSwitch.objects.exclude(state="armed").exists()


def test_staff_token_ends_after_ten_minutes(staff: User) -> None:
    token = issue_staff_token(user=staff, now=NOW - timedelta(minutes=11))
    chat = Conversation(chat_id=500)
    chat.write(f"/start {token}")
    assert chat.outcome == "not linked: unknown"

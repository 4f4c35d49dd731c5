"""What an update does, once, however often and in whatever order it comes."""

import json
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from notifications.models import Delivery, Feedback, ReplyTurn, TelegramUpdate
from notifications.services import inbox, removal
from notifications.services.bot import feedback
from notifications.services.fan_out import fan_out
from notifications.services.reply import AnswerReply, Reply, TextReply
from notifications.services.reply_turns import take_turn
from signals.models import StrategyWeight
from tests.notifications.rows import make_outcome, make_signal, make_subscriber, make_tier
from users.models import LinkToken
from users.services import issue_link_token, remove_subscriber

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
_ids = count(1)


def person(chat_id: int) -> dict[str, Any]:
    return {"id": chat_id, "is_bot": False, "first_name": "A", "username": "ada"}


def says(text: str, chat_id: int = 77, **chat: Any) -> dict[str, Any]:
    return {
        "message": {
            "message_id": 3,
            "from": person(chat_id),
            "chat": {"id": chat_id, "type": "private"} | chat,
            "date": 1,
            "text": text,
        }
    }


def presses(delivery: Delivery, prefix: str, user_id: int | None = None) -> dict[str, Any]:
    user_id = user_id or delivery.subscriber.chat_id or 0
    message = {"message_id": 9, "chat": {"id": user_id, "type": "private"}, "date": 1}
    data = prefix + delivery.public_id.hex
    return {"callback_query": {"id": "1", "from": person(user_id), "message": message, "data": data}}


def membership(chat_id: int, status: str, date: int = 1) -> dict[str, Any]:
    change = {"chat": {"id": chat_id, "type": "private"}, "new_chat_member": {"status": status}, "date": date}
    return {"my_chat_member": change}


def receive(update: dict[str, Any], *, update_id: int | None = None) -> tuple[str, Reply | None]:
    update_id = next(_ids) if update_id is None else update_id
    inbox.store_update(payload=update | {"update_id": update_id}, now=NOW)
    reply = inbox.process_update(update_id=update_id, now=NOW)
    outcome = TelegramUpdate.objects.get(pk=update_id).outcome
    assert reply is None or outcome.endswith(inbox.NOBODY_KNOWS)
    return outcome.removesuffix(inbox.NOBODY_KNOWS), reply


@pytest.fixture
def delivery() -> Delivery:
    """A signal that has been sent."""
    make_subscriber()
    fan_out(signal=make_signal(published_at=NOW - timedelta(minutes=1)))
    Delivery.objects.update(state="sent", sent_at=NOW)
    return Delivery.objects.get()


def test_start_with_a_token_links_the_chat_and_welcomes() -> None:
    subscriber = make_subscriber(chat_id=None, display_name="Ada <i>")
    token = issue_link_token(subscriber=subscriber, now=NOW)
    outcome, reply = receive(says(f"/start {token}"))
    subscriber.refresh_from_db()
    assert (outcome, subscriber.chat_id, subscriber.telegram_username) == ("linked", 77, "ada")
    assert isinstance(reply, TextReply)
    assert "Ada &lt;i&gt;" in reply.html


@pytest.mark.parametrize(
    "update",
    [
        lambda text: says(text, id=78),
        lambda text: says(text, type="channel"),
        lambda text: {"edited_message": says(text)["message"]},
    ],
)
def test_token_outside_its_owners_private_chat_links_nothing(update: Any) -> None:
    subscriber = make_subscriber(chat_id=None)
    token = issue_link_token(subscriber=subscriber, now=NOW)
    assert receive(update(f"/start {token}")) == ("ignored", None)
    subscriber.refresh_from_db()
    assert subscriber.chat_id is None


@pytest.mark.parametrize("kind", ["group", "supergroup"])
def test_group_is_refused_politely_and_links_nothing(kind: str) -> None:
    subscriber = make_subscriber(chat_id=None)
    token = issue_link_token(subscriber=subscriber, now=NOW)
    outcome, reply = receive(says(f"/start {token}", type=kind))
    subscriber.refresh_from_db()
    assert (outcome, subscriber.chat_id) == ("refused: a group", None)
    assert isinstance(reply, TextReply)
    assert "private chat" in reply.html
    assert receive(says("hello everybody", type=kind)) == ("ignored", None)
    added = membership(-100123, "member")
    added["my_chat_member"]["chat"]["type"] = kind
    assert receive(added)[0] == "refused: a group"


def test_bad_token_is_answered_with_what_to_do() -> None:
    outcome, reply = receive(says("/start nonsense"))
    assert outcome == "not linked: unknown"
    assert isinstance(reply, TextReply)
    assert "ask your team for a new link" in reply.html


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/start", "not linked"),
        ("/help@bot", "What I do"),
        ("/status", "not linked"),
        ("/last", "not linked"),
    ],
)
def test_commands_are_answered(text: str, word: str) -> None:
    _, reply = receive(says(text))
    assert isinstance(reply, TextReply)
    assert word in reply.html


@pytest.mark.parametrize("text", ["/START", "/Start"])
def test_linked_chat_that_starts_again_is_told_so_with_its_status(text: str) -> None:
    make_subscriber(chat_id=77, display_name="Ada", tier=make_tier(name="Premium"))
    outcome, reply = receive(says(text))
    assert isinstance(reply, TextReply)
    assert outcome == "asked for status"
    assert "This chat is linked to <b>Ada</b>" in reply.html
    assert "Premium" in reply.html
    assert "not linked" not in reply.html


def test_linked_chat_whose_subscription_is_over_is_told_so() -> None:
    make_subscriber(chat_id=77, subscription_ends_at=NOW)
    _, reply = receive(says("/start"))
    assert isinstance(reply, TextReply)
    assert "Your subscription ended" in reply.html


@pytest.mark.parametrize("text", ["/STATUS", "/Last@Bot"])
def test_commands_are_heard_in_any_case(text: str) -> None:
    _, reply = receive(says(text))
    assert isinstance(reply, TextReply)
    assert "not linked" in reply.html


@pytest.mark.parametrize("text", ["hello", "/unknown", "help", ""])
def test_anything_else_gets_help(text: str) -> None:
    _, reply = receive(says(text))
    assert isinstance(reply, TextReply)
    assert "What I do" in reply.html


def test_change_of_mind_counts_and_moves_the_weight_back(delivery: Delivery) -> None:
    outcomes = [receive(presses(delivery, prefix))[0] for prefix in ("fa:", "fi:", "fi:")]
    assert outcomes == ["acted", "changed to ignored", "already answered: ignored"]
    feedback = Feedback.objects.get()
    assert (feedback.answer, feedback.changes) == ("ignored", 1)
    assert StrategyWeight.objects.get().weight == pytest.approx(0.9)


def test_answer_stands_once_the_end_may_be_known(delivery: Delivery) -> None:
    receive(presses(delivery, "fa:"))
    make_outcome(signal=delivery.signal, recorded_at=NOW)
    assert receive(presses(delivery, "fi:"))[0] == "too late, stands: acted"
    assert Feedback.objects.get().answer == "acted"
    assert StrategyWeight.objects.get().weight == pytest.approx(1.1)


def test_change_of_mind_does_not_tell_a_delayed_tier_that_the_signal_has_ended() -> None:
    make_subscriber(tier=make_tier(delay_seconds=900))
    fan_out(signal=make_signal(published_at=NOW - timedelta(hours=1)))
    Delivery.objects.update(state="sent", sent_at=NOW)
    delivery = Delivery.objects.get()
    receive(presses(delivery, "fa:"))
    make_outcome(signal=delivery.signal, recorded_at=NOW - timedelta(minutes=14))
    assert receive(presses(delivery, "fi:"))[0] == "changed to ignored"


def test_same_update_delivered_again_has_no_second_effect(delivery: Delivery) -> None:
    assert receive(presses(delivery, "fi:"), update_id=500)[0] == "ignored"
    assert receive(presses(delivery, "fa:"), update_id=500)[1] is None
    assert Feedback.objects.get().answer == "ignored"
    assert StrategyWeight.objects.get().weight == pytest.approx(0.9)


def test_button_of_somebody_else_is_refused(delivery: Delivery) -> None:
    stranger = make_subscriber()
    outcome, reply = receive(presses(delivery, "fa:", stranger.chat_id))
    assert outcome == "not a button of this chat"
    assert isinstance(reply, AnswerReply)
    assert reply.delivery_id is None
    assert not Feedback.objects.exists()


def test_block_and_unblock_are_known_at_once(delivery: Delivery) -> None:
    chat_id = delivery.subscriber.chat_id or 0
    assert receive(membership(chat_id, "kicked"))[0] == "unreachable"
    delivery.subscriber.refresh_from_db()
    assert delivery.subscriber.unreachable_reason
    assert receive(membership(chat_id, "member"))[0] == "reachable"
    delivery.subscriber.refresh_from_db()
    assert delivery.subscriber.unreachable_reason == ""


def test_older_block_worked_off_late_changes_nothing(delivery: Delivery) -> None:
    chat_id = delivery.subscriber.chat_id or 0
    assert receive(membership(chat_id, "member"), update_id=901)[0] == "reachable"
    assert receive(membership(chat_id, "kicked"), update_id=900)[0] == "superseded"
    delivery.subscriber.refresh_from_db()
    assert delivery.subscriber.unreachable_reason == ""


def test_ids_that_begin_anew_after_a_quiet_week_do_not_hide_the_newest_change(delivery: Delivery) -> None:
    """Telegram: without updates for a week, the next id is chosen at random."""
    chat_id = delivery.subscriber.chat_id or 0
    assert receive(membership(chat_id, "kicked", date=1_000), update_id=900_000_000)[0] == "unreachable"
    assert receive(membership(chat_id, "member", date=800_000), update_id=1_000)[0] == "reachable"


def test_token_is_on_the_next_line_as_well() -> None:
    token = issue_link_token(subscriber=make_subscriber(chat_id=None), now=NOW)
    assert receive(says(f"/start\n{token}"))[0] == "linked"


@pytest.mark.parametrize("moment", [NOW, NOW + timedelta(hours=1)])
def test_token_is_kept_nowhere(moment: datetime) -> None:
    token = issue_link_token(subscriber=make_subscriber(chat_id=None), now=moment - timedelta(minutes=30))
    receive(says(f"/start {token}"))
    assert token not in json.dumps(list(TelegramUpdate.objects.values_list("payload", flat=True)))


def test_token_is_not_even_stored() -> None:
    subscriber = make_subscriber(chat_id=None)
    token = issue_link_token(subscriber=subscriber, now=NOW)
    for update_id, payload in enumerate(
        (
            says(f"/start {token}"),
            says(f"/start@bot {token}", type="group"),
            {"edited_message": {"text": f"/start {token}"}},
        )
    ):
        inbox.store_update(payload=payload | {"update_id": update_id}, now=NOW)
    assert token not in json.dumps(list(TelegramUpdate.objects.values_list("payload", flat=True)))
    inbox.process_update(update_id=0, now=NOW)
    subscriber.refresh_from_db()
    assert subscriber.chat_id == 77


def test_whoever_reads_the_hash_cannot_link_with_it() -> None:
    subscriber = make_subscriber(chat_id=None)
    token = issue_link_token(subscriber=subscriber, now=NOW)
    stolen = LinkToken.objects.get().token_hash
    for text in (stolen, f"#{stolen}"):
        assert receive(says(f"/start {text}"))[0] == "not linked: unknown"
    assert receive(says(f"/start {token}"))[0] == "linked"


def test_update_stored_by_the_version_before_still_links() -> None:
    token = issue_link_token(subscriber=make_subscriber(chat_id=None), now=NOW)
    TelegramUpdate.objects.create(update_id=1, payload=says(f"/start {token}"), received_at=NOW)
    inbox.process_update(update_id=1, now=NOW)
    assert TelegramUpdate.objects.get().outcome.startswith("linked")


@pytest.mark.parametrize(
    "update", [says("my name is Ada"), membership(77, "kicked"), {"edited_message": says("x")["message"]}]
)
def test_what_a_stranger_types_is_emptied_once_it_is_worked_off(update: dict[str, Any]) -> None:
    subscriber = make_subscriber(chat_id=77)
    receive(update)
    assert TelegramUpdate.objects.get().payload, "of a subscriber it is kept"
    remove_subscriber(subscriber=subscriber, now=NOW)
    receive(update)
    assert [row.payload for row in TelegramUpdate.objects.all()] == [{}, {}]


def test_inbox_is_tidied() -> None:
    """Also what was worked off while its chat was being removed."""
    make_subscriber(chat_id=77)
    moments = (NOW - timedelta(days=31), NOW, NOW, NOW)
    chats = (77, 77, 78, 78)
    for update_id, (moment, chat_id) in enumerate(zip(moments, chats, strict=True)):
        TelegramUpdate.objects.create(
            update_id=update_id,
            payload=says("hello", chat_id),
            received_at=moment,
            processed_at=None if update_id == 3 else moment,
        )
    assert removal.forget_strangers() == 1
    assert removal.forget_old_updates(received_before=NOW - timedelta(days=30)) == 1
    kept = {row.update_id: bool(row.payload) for row in TelegramUpdate.objects.all()}
    assert kept == {1: True, 2: False, 3: True}, "what waits is needed"


def test_chat_that_a_subscriber_left_for_another_is_forgotten(delivery: Delivery) -> None:
    subscriber = delivery.subscriber
    receive(says("/status", subscriber.chat_id or 0))
    receive(says(f"/start {issue_link_token(subscriber=subscriber, now=NOW)}", 77))
    kept = [row.payload["message"]["chat"]["id"] for row in TelegramUpdate.objects.all() if row.payload]
    assert kept == [77]


def test_update_that_can_be_read_but_not_written_is_none() -> None:
    """The C reader takes deeper nesting than the writer."""
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit()):
        deep = [deep]
    assert inbox.store_update(payload={"update_id": 1, "x": deep}, now=NOW) is None


def test_update_that_always_fails_is_given_up_and_says_so(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**values: Any) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr(feedback, "adjust_weight", fail)
    inbox.store_update(payload=presses(delivery, "fa:") | {"update_id": 7}, now=NOW)
    for _ in range(inbox.MOST_ATTEMPTS):
        assert inbox.waiting_updates(received_before=NOW) == [7]
        with pytest.raises(ZeroDivisionError):
            inbox.process_update(update_id=7, now=NOW)
    assert TelegramUpdate.objects.get().outcome.startswith("failed")
    assert inbox.waiting_updates(received_before=NOW) == []
    assert inbox.process_update(update_id=7, now=NOW) is None
    assert TelegramUpdate.objects.get().attempts == inbox.MOST_ATTEMPTS
    assert not Feedback.objects.exists()


def test_last_attempt_that_succeeds_counts_like_any_other(delivery: Delivery) -> None:
    inbox.store_update(payload=presses(delivery, "fa:") | {"update_id": 7}, now=NOW)
    TelegramUpdate.objects.update(attempts=inbox.MOST_ATTEMPTS - 1)
    assert inbox.process_update(update_id=7, now=NOW) is not None
    assert TelegramUpdate.objects.get().outcome == "acted; reply unknown"
    assert Feedback.objects.count() == 1


def test_removed_subscriber_leaves_no_personal_data_in_the_inbox(delivery: Delivery) -> None:
    subscriber = delivery.subscriber
    chat_id = subscriber.chat_id or 0
    receive(says("/status", chat_id))
    receive(presses(delivery, "fa:"))
    receive(membership(chat_id, "kicked"))
    other = make_subscriber(chat_id=4711)
    receive(says("/status", 4711))
    take_turn(chat_id=chat_id)
    remove_subscriber(subscriber=subscriber, now=NOW + timedelta(days=1))
    kept = [row.payload for row in TelegramUpdate.objects.all() if row.payload]
    assert [row["message"]["chat"]["id"] for row in kept] == [other.chat_id]
    assert not ReplyTurn.objects.filter(chat_id=chat_id).exists()
    assert Delivery.objects.count() == 1
    assert Feedback.objects.count() == 1

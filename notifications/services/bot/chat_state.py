"""What a chat is in the middle of: a question that its next text answers, and wrong codes."""

from datetime import datetime, timedelta

from notifications.models import ChatState

ANSWER_WITHIN = timedelta(minutes=15)
WRONG_CODES = 5
WRONG_WITHIN = timedelta(minutes=10)


def expect(*, chat_id: int, setting: str, now: datetime) -> None:
    ChatState.objects.update_or_create(chat_id=chat_id, defaults={"expects": setting, "asked_at": now})


def take_expected(*, chat_id: int, now: datetime) -> str:
    """The setting that a text of now is for; empty for none. It is asked for no more."""
    state = ChatState.objects.filter(chat_id=chat_id).exclude(expects="").first()
    if state is None:
        return ""
    ChatState.objects.filter(chat_id=chat_id).update(expects="", asked_at=None)
    is_fresh = state.asked_at is not None and now - state.asked_at <= ANSWER_WITHIN
    return state.expects if is_fresh else ""


def expect_nothing(*, chat_id: int) -> None:
    ChatState.objects.filter(chat_id=chat_id).exclude(expects="").update(expects="", asked_at=None)


def may_try_code(*, chat_id: int, now: datetime) -> bool:
    """Not after five wrong ones within ten minutes: codes are not to be guessed."""
    state = ChatState.objects.filter(chat_id=chat_id).first()
    return state is None or state.wrong_codes < WRONG_CODES or not _is_recent(state, now)


def count_wrong_code(*, chat_id: int, now: datetime) -> None:
    state, _ = ChatState.objects.select_for_update().get_or_create(chat_id=chat_id)
    if not _is_recent(state, now):
        state.wrong_codes, state.wrong_since = 0, now
    state.wrong_codes = min(state.wrong_codes + 1, WRONG_CODES)
    state.save(update_fields=["wrong_codes", "wrong_since"])


def forget_states(*, before: datetime) -> None:
    """Drop what is over."""
    old = ChatState.objects.exclude(asked_at__gte=before).exclude(wrong_since__gte=before)
    old.delete()


def _is_recent(state: ChatState, now: datetime) -> bool:
    return state.wrong_since is not None and now - state.wrong_since < WRONG_WITHIN

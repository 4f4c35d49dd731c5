"""What Telegram told the bot as a whole, for the worker's replies: the sender reads and writes the same row."""

from datetime import datetime, timedelta

from django.db.models import DateTimeField, ExpressionWrapper, F, Value
from django.db.models.functions import Greatest, Now

from notifications.clients.telegram_call import Failure, TelegramError
from notifications.models import SenderState
from users.services import mark_unreachable


def silence(*, now: datetime) -> str:
    """Why the bot may call nothing now; empty when it may."""
    state = SenderState.objects.first()
    if state is None:
        return ""
    if state.halted_reason:
        return f"the bot is halted: {state.halted_reason}"
    if state.paused_until and state.paused_until > now:
        return f"the bot waits for Telegram until {state.paused_until:%H:%M:%S}"
    return ""


def heed(error: TelegramError, *, chat_id: int) -> None:
    """Let the sender know: a 429 is meant for the whole bot, a chat that is gone is gone for signals too.

    A refused token is the sender's own to find out: a worker may still have the one before.
    """
    if error.retry_after_seconds:
        pause = Value(timedelta(seconds=error.retry_after_seconds))
        ends = ExpressionWrapper(Now() + pause, output_field=DateTimeField())
        SenderState.objects.update(paused_until=Greatest(F("paused_until"), ends))
    if error.failure is Failure.CHAT_GONE:
        mark_unreachable(chat_id=chat_id, reason=str(error))

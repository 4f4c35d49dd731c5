"""A delivery made into a message."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils.translation import override

from notifications.clients.telegram_call import Button
from notifications.models import DeliveryKind
from notifications.services.message.buttons import feedback_buttons
from notifications.services.message.facts import Draft
from notifications.services.message.outcome_text import outcome_text, raised_text
from notifications.services.message.signal_text import signal_text
from notifications.services.message.words import utf16_length, visible_length

# Telegram's limits, in UTF-16 units of the text that is read, without its tags.
LONGEST_MESSAGE = 4096
LONGEST_CAPTION = 1024


@dataclass(frozen=True, slots=True)
class Message:
    """What Telegram is asked to show: Telegram's HTML or plain text, in answer to the message `reply_to`.

    `with_picture`: there is one, and the text is short enough to stand below it.
    """

    text: str
    is_html: bool
    buttons: Sequence[Button] = ()
    reply_to: int | None = None
    is_silent: bool = False
    with_picture: bool = False

    @property
    def length(self) -> int:
        """UTF-16 units, as Telegram counts."""
        return visible_length(self.text) if self.is_html else utf16_length(self.text)


def compose(draft: Draft) -> Message:
    """The message of a delivery, whichever kind it is, in the subscriber's language.

    One whose text was refused goes without its picture.
    """
    with override(draft.recipient.language):
        if draft.kind == DeliveryKind.SIGNAL:
            return _signal_message(draft)
        return Message(
            _later_text(draft), not draft.is_plain, reply_to=draft.reply_to, is_silent=draft.is_repeat
        )


def _signal_message(draft: Draft) -> Message:
    is_html = not draft.is_plain
    text = signal_text(draft, html=is_html)
    message = Message(text, is_html, feedback_buttons(draft.public_id), is_silent=draft.is_repeat)
    fits = is_html and draft.picture_id is not None and message.length <= LONGEST_CAPTION
    return replace(message, with_picture=fits)


def _later_text(draft: Draft) -> str:
    if draft.kind == DeliveryKind.OUTCOME and draft.outcome is not None:
        return outcome_text(draft, draft.outcome, html=not draft.is_plain)
    if draft.kind == DeliveryKind.UPDATE and draft.signal.raised_stop is not None:
        return raised_text(draft, draft.signal.raised_stop, html=not draft.is_plain)
    raise LookupError(f"There is nothing to tell yet: {draft.kind} of {draft.public_id}.")

"""A delivery made into a message."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils.translation import override

from notifications.clients.telegram_call import Button
from notifications.models import DeliveryKind
from notifications.services.message.buttons import feedback_buttons
from notifications.services.message.facts import Deliverable
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


def compose(row: Deliverable) -> Message:
    """The message of a delivery, whichever kind it is, in the subscriber's language.

    One whose text was refused goes without its picture.
    """
    with override(row.language):
        return _composed(row)


def _composed(row: Deliverable) -> Message:
    is_html = not row.is_plain
    if row.kind == DeliveryKind.OUTCOME:
        text = outcome_text(row, html=is_html)
        return Message(text, is_html, reply_to=row.reply_to, is_silent=row.is_repeat)
    if row.kind == DeliveryKind.UPDATE:
        text = raised_text(row, html=is_html)
        return Message(text, is_html, reply_to=row.reply_to, is_silent=row.is_repeat)
    text = signal_text(row, html=is_html)
    message = Message(text, is_html, feedback_buttons(row.public_id), is_silent=row.is_repeat)
    fits = is_html and row.picture_id is not None and message.length <= LONGEST_CAPTION
    return replace(message, with_picture=fits)

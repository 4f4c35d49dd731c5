"""What a call to Telegram is given and how it can fail; processes that never call it read it too."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Failure(StrEnum):
    """What a failed call means for the message."""

    HELD_BACK = "held_back"
    NOT_SENT = "not_sent"
    RATE_LIMITED = "rate_limited"
    AMBIGUOUS = "ambiguous"
    CHAT_GONE = "chat_gone"
    BAD_TEXT = "bad_text"
    BAD_PICTURE = "bad_picture"
    MIGRATED = "migrated"
    BAD_TOKEN = "bad_token"  # noqa: S105
    REFUSED = "refused"


class TelegramError(Exception):
    """A call to Telegram failed.

    `retry_after_seconds` comes with RATE_LIMITED, and with AMBIGUOUS where every other call would fail likewise;
    `new_chat_id` with MIGRATED.
    """

    def __init__(
        self,
        message: str,
        failure: Failure,
        *,
        retry_after_seconds: float = 0.0,
        new_chat_id: int | None = None,
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.retry_after_seconds = retry_after_seconds
        self.new_chat_id = new_chat_id


@dataclass(frozen=True, slots=True)
class Button:
    """One button under a message; `data` comes back when it is pressed, at most 64 bytes."""

    text: str
    data: str


# Rows of buttons.
Keyboard = Sequence[Sequence[Button]]

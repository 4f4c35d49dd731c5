"""What notifications does when others announce something. All run inside the announcer's transaction."""

from collections.abc import Sequence
from typing import Any

from notifications.services.fan_out import fan_out
from notifications.services.follow_up import follow_up
from notifications.services.removal import forget_chat
from signals.models import Signal


def deliver(*, published: Signal, **kwargs: Any) -> None:
    """A signal and its deliveries are committed together or not at all."""
    fan_out(signal=published)


def tell_outcomes(*, signal_ids: Sequence[int], **kwargs: Any) -> None:
    """What became of signals goes to those who got them, or was never written."""
    follow_up(signal_ids=signal_ids)


def forget_removed_chat(*, chat_id: int | None, **kwargs: Any) -> None:
    if chat_id is not None:
        forget_chat(chat_id=chat_id)

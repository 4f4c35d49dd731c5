"""What notifications does when others announce something. All run inside the announcer's transaction."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction

from notifications.services.fan_out import fan_out
from notifications.services.follow_up import follow_up, tell_raised
from notifications.services.pictures import request_picture
from notifications.services.removal import forget_chat, forget_preferences
from notifications.services.webhooks import announce_outcomes, announce_signal
from notifications.tasks import wake_for_picture, wake_for_webhooks
from signals.models import Signal
from users.models import Subscriber


def deliver(*, coming: Signal, **kwargs: Any) -> None:
    """A signal and its deliveries are committed together or not at all; a worker draws it after that."""
    if request_picture(signal=coming):
        transaction.on_commit(partial(wake_for_picture, coming.pk))
    fan_out(signal=coming, capped=False)


def deliver_capped(*, published: Signal, **kwargs: Any) -> None:
    """A daily cap counts the signals before this one, so these wait until those are committed."""
    fan_out(signal=published, capped=True)
    for endpoint_id in announce_signal(signal=published):
        transaction.on_commit(partial(wake_for_webhooks, endpoint_id))


def tell_outcomes(*, signal_ids: Sequence[int], **kwargs: Any) -> None:
    """What became of signals goes to those who got them, or was never written."""
    follow_up(signal_ids=signal_ids)
    for endpoint_id in announce_outcomes(signal_ids=signal_ids):
        transaction.on_commit(partial(wake_for_webhooks, endpoint_id))


def tell_raised_stops(*, signal_ids: Sequence[int], **kwargs: Any) -> None:
    """That the stop has passed the entry, once for each signal."""
    tell_raised(signal_ids=signal_ids)


def forget_left_chat(*, chat_id: int, **kwargs: Any) -> None:
    forget_chat(chat_id=chat_id)


def forget_removed(*, subscriber: Subscriber, **kwargs: Any) -> None:
    forget_preferences(subscriber=subscriber)

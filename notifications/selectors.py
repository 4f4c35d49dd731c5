"""What a subscriber may be shown. Whatever answers a subscriber about signals reads through `visible_to`."""

from datetime import datetime

from django.db.models import Q, QuerySet

from notifications.models import Delivery, DeliveryKind, DeliveryState
from users.models import Subscriber

# Sent, or of a fate that nobody knows: a button may be pressed before our row says that its message went out.
# Whatever waits, was excluded or expired unsent is not shown on demand either: a command is no second way to a
# signal. The kill switch keeps it from being sent, so that it is not shown either.
MAY_HAVE_ARRIVED = Q(state__in=[DeliveryState.SENDING, DeliveryState.SENT, DeliveryState.UNKNOWN]) | Q(
    is_repeat=True
)


def visible_to(subscriber: Subscriber, now: datetime) -> QuerySet[Delivery]:
    """Deliveries that have been released for the subscriber at `now` and may have reached the chat.

    An outcome is a delivery of its own: that a signal is visible says nothing about how it ended.
    """
    return Delivery.objects.filter(MAY_HAVE_ARRIVED, subscriber=subscriber, due_at__lte=now)


def last_visible(
    subscriber: Subscriber, now: datetime, *, count: int
) -> list[tuple[Delivery, Delivery | None]]:
    """The newest visible signals, each with its outcome if that is visible too."""
    visible = visible_to(subscriber, now)
    signals = list(
        visible.filter(kind=DeliveryKind.SIGNAL)
        .select_related("signal__instrument__exchange")
        .order_by("-due_at", "-pk")[:count]
    )
    outcomes = visible.filter(kind=DeliveryKind.OUTCOME, signal__in=[row.signal_id for row in signals])
    ended = {row.signal_id: row for row in outcomes.select_related("signal__outcome")}
    return [(row, ended.get(row.signal_id)) for row in signals]

"""Reminders about a subscription: written once each, sent by a worker, accounted for like signals."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import override

from notifications.clients.telegram_call import Failure, TelegramError
from notifications.models import DeliveryState, Notice, NoticeKind
from notifications.services.reply import TextReply, text_reply
from users.engine.subscriber import SubscriberStatus
from users.models import Subscriber
from users.services import mark_unreachable

WORTH_TELLING = timedelta(days=1)
LEASE = timedelta(minutes=2)
LONGEST_REASON = 300
MOST_ATTEMPTS = 8
NO_LONGER_TRUE = "The subscription is another by now."
TRY_AGAIN = (Failure.HELD_BACK, Failure.NOT_SENT, Failure.RATE_LIMITED)


def write_notices(*, now: datetime) -> int:
    """Those that came due within the last day; how many are new. A repeat writes none."""
    ends = now + timedelta(days=3)
    people = Subscriber.objects.active().filter(chat_id__isnull=False, unreachable_reason="")
    people = people.filter(subscription_ends_at__lte=ends, subscription_ends_at__gt=now - timedelta(days=400))
    rows = [
        Notice(
            subscriber=person,
            kind=kind,
            about=person.subscription_ends_at,
            due_at=due_at,
            expires_at=due_at + WORTH_TELLING,
            next_attempt_at=due_at,
        )
        for person in people.select_related("tier")
        if person.subscription_ends_at
        for kind, due_at in moments(person)
        if due_at <= now < due_at + WORTH_TELLING
    ]
    before = Notice.objects.count()
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    return Notice.objects.count() - before


def moments(person: Subscriber) -> list[tuple[NoticeKind, datetime]]:
    """When which reminder is due; a subscription of less than a week is reminded of one day before only."""
    end, over = person.subscription_ends_at, person.access_ends_at
    if end is None or over is None:
        return []
    begun = person.subscription_starts_at
    is_short = begun is not None and end - begun < timedelta(days=7)
    early = [] if is_short else [(NoticeKind.ENDS_IN_3_DAYS, end - timedelta(days=3))]
    grace = [(NoticeKind.IN_GRACE, end)] if over > end else []
    return [*early, (NoticeKind.ENDS_TOMORROW, end - timedelta(days=1)), *grace, (NoticeKind.ENDED, over)]


def claim_notice(*, now: datetime) -> Notice | None:
    """The next that is due, committed as being sent; None when there is none. What may not be sent ends at once.

    One whose worker died while it was sent stays unknown: a message about money is not repeated.
    """
    stuck = Notice.objects.filter(state=DeliveryState.SENDING, lease_until__lte=now)
    stuck.update(
        state=DeliveryState.UNKNOWN, reason="The worker died while it was sending.", lease_until=None
    )
    while True:
        with transaction.atomic():
            due = Notice.objects.filter(
                state__in=[DeliveryState.PENDING, DeliveryState.RETRY], next_attempt_at__lte=now
            )
            locked = due.select_for_update(skip_locked=True, of=("self",)).select_related("subscriber__tier")
            notice = locked.order_by("due_at", "pk").first()
            if notice is None:
                return None
            if notice.expires_at <= now:
                notice.state, notice.reason = DeliveryState.EXPIRED, "expired"
            elif not _is_true(notice):
                notice.state, notice.reason = DeliveryState.DEAD, NO_LONGER_TRUE
            else:
                notice.state, notice.lease_until = DeliveryState.SENDING, now + LEASE
                notice.attempts += 1
            notice.save()
        if notice.state == DeliveryState.SENDING:
            return notice


def message_of(notice: Notice) -> TextReply:
    person = notice.subscriber
    with override(person.language):
        return text_reply(
            person.chat_id or 0,
            "notice",
            kind=notice.kind,
            subscriber=person,
            tier=person.tier,
            over=person.access_ends_at,
        )


def record_notice(*, notice: Notice, error: TelegramError | None, now: datetime) -> None:
    """What came of the call. Of unknown fate it is not sent again."""
    notice.lease_until, notice.reason = None, str(error or "")[:LONGEST_REASON]
    if error is None:
        notice.state, notice.sent_at = DeliveryState.SENT, now
    elif error.failure in TRY_AGAIN and notice.attempts < MOST_ATTEMPTS:
        wait = max(error.retry_after_seconds, 30.0 * notice.attempts)
        notice.state, notice.next_attempt_at = DeliveryState.RETRY, now + timedelta(seconds=wait)
    else:
        is_ambiguous = error.failure is Failure.AMBIGUOUS
        notice.state = DeliveryState.UNKNOWN if is_ambiguous else DeliveryState.DEAD
        if error.failure is Failure.CHAT_GONE and notice.subscriber.chat_id:
            mark_unreachable(chat_id=notice.subscriber.chat_id, reason=str(error))
    notice.save()


def wait_for_turn(*, notice: Notice, now: datetime) -> None:
    """The chat or the bot may be sent nothing now: it is looked at again soon, and no attempt is counted."""
    Notice.objects.filter(pk=notice.pk).update(
        state=DeliveryState.RETRY,
        attempts=notice.attempts - 1,
        lease_until=None,
        next_attempt_at=now + timedelta(seconds=30),
    )


def _is_true(notice: Notice) -> bool:
    person = notice.subscriber
    is_active = person.status == SubscriberStatus.ACTIVE and person.chat_id is not None
    return is_active and not person.unreachable_reason and person.subscription_ends_at == notice.about

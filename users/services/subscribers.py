"""Subscribers come, link a chat, rest and go."""

import hashlib
import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db import IntegrityError, transaction

from users.engine.subscriber import AccountType, RiskProfile, SubscriberStatus
from users.events import chat_left, subscriber_removed
from users.models import LinkToken, Subscriber, Tier

TOKEN_BYTES = 24
TOKEN_LIFETIME = timedelta(minutes=10)


class LinkRefusal(StrEnum):
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"
    INACTIVE = "inactive"
    CHAT_TAKEN = "chat_taken"
    INVITATION_OVER = "invitation_over"
    USED_UP = "used_up"


class LinkError(Exception):
    """A chat was not linked; `reason` says why."""

    def __init__(self, reason: LinkRefusal) -> None:
        super().__init__(f"chat not linked: {reason}")
        self.reason = reason


class SubscriberError(Exception):
    """What was asked of a subscriber cannot be done; the text says what to do instead."""


def add_subscriber(
    *,
    display_name: str,
    tier: Tier,
    account_type: AccountType = AccountType.DEMO,
    risk_profile: RiskProfile = RiskProfile.MEDIUM,
    capital: Decimal = Decimal(1000),
    capital_currency: str = "USD",
    subscription_ends_at: datetime | None = None,
) -> Subscriber:
    """A new active subscriber, validated; raises ValidationError."""
    subscriber = Subscriber(
        display_name=display_name,
        tier=tier,
        account_type=account_type.value,
        risk_profile=risk_profile.value,
        capital=capital,
        capital_currency=capital_currency,
        subscription_ends_at=subscription_ends_at,
    )
    subscriber.full_clean()
    subscriber.save()
    return subscriber


def archive_subscriber(*, subscriber: Subscriber, now: datetime) -> None:
    """No more signals; everything stays and can be restored. Raises SubscriberError if removed."""
    with transaction.atomic():
        held = _hold(subscriber)
        held.status, held.archived_at = SubscriberStatus.ARCHIVED.value, now
        held.save(update_fields=["status", "archived_at"])
    subscriber.refresh_from_db()


def restore_subscriber(*, subscriber: Subscriber) -> None:
    """Undo archiving. Raises SubscriberError if removed."""
    with transaction.atomic():
        held = _hold(subscriber)
        held.status, held.archived_at = SubscriberStatus.ACTIVE.value, None
        held.save(update_fields=["status", "archived_at"])
    subscriber.refresh_from_db()


def remove_subscriber(*, subscriber: Subscriber, now: datetime) -> None:
    """Delete the personal data for good; the row and its deliveries stay as accounts. A repeat is harmless."""
    with transaction.atomic():
        held = Subscriber.objects.select_for_update().get(pk=subscriber.pk)
        if held.status != SubscriberStatus.REMOVED:
            chat_id = held.chat_id
            held.status, held.removed_at = SubscriberStatus.REMOVED.value, now
            held.display_name = held.telegram_username = held.notes = held.unreachable_reason = ""
            held.chat_id = held.linked_at = held.subscription_ends_at = None
            held.capital, held.risk_fraction = Decimal(0), Decimal(0)
            held.save()
            held.link_tokens.all().delete()
            # The history keeps what was done and when; not what a person owns, nor when they joined a chat.
            history = Subscriber.pgh_event_model.objects  # type: ignore[attr-defined]  # pghistory adds it
            history.filter(pgh_obj_id=held.pk).update(
                capital=0, risk_fraction=0, unreachable_reason="", linked_at=None, subscription_ends_at=None
            )
            subscriber_removed.send(sender=Subscriber, subscriber=held)
            if chat_id is not None:
                chat_left.send(sender=Subscriber, chat_id=chat_id)
    subscriber.refresh_from_db()


def _hold(subscriber: Subscriber) -> Subscriber:
    held = Subscriber.objects.select_for_update().get(pk=subscriber.pk)
    if held.status == SubscriberStatus.REMOVED:
        raise SubscriberError(
            f"{held} was removed and its personal data are gone: add a new subscriber instead"
        )
    return held


def issue_link_token(*, subscriber: Subscriber, now: datetime) -> str:
    """A one-time token for `/start`, 32 of [A-Za-z0-9_-], valid 10 minutes; older open ones end."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        held = _hold(subscriber)
        held.link_tokens.filter(used_at=None, expires_at__gt=now).update(expires_at=now)
        LinkToken.objects.create(
            subscriber=held, token_hash=link_hash(token), created_at=now, expires_at=now + TOKEN_LIFETIME
        )
    return token


def redeem_link_token(*, token: str, chat_id: int, telegram_username: str, now: datetime) -> Subscriber:
    """Bind the chat to the token's subscriber; a subscriber who had another chat moves to this one.

    Raises LinkError when the token is unknown, expired or used, when the subscriber is not active, and
    when the chat belongs to somebody else.
    """
    return redeem_link_hash(
        token_hash=link_hash(token), chat_id=chat_id, telegram_username=telegram_username, now=now
    )


def redeem_link_hash(*, token_hash: str, chat_id: int, telegram_username: str, now: datetime) -> Subscriber:
    """The same by the token's hash, which is all that the inbox keeps of it."""
    try:
        with transaction.atomic():
            subscriber, link = _held_link(token_hash, now)
            if Subscriber.objects.filter(chat_id=chat_id).exclude(pk=subscriber.pk).exists():
                raise LinkError(LinkRefusal.CHAT_TAKEN)
            link.used_at = now
            link.save(update_fields=["used_at"])
            if subscriber.chat_id not in (None, chat_id):
                chat_left.send(sender=Subscriber, chat_id=subscriber.chat_id)
            subscriber.chat_id, subscriber.telegram_username = chat_id, telegram_username[:64]
            subscriber.linked_at, subscriber.unreachable_reason = now, ""
            subscriber.save(update_fields=["chat_id", "telegram_username", "linked_at", "unreachable_reason"])
    except IntegrityError as error:
        # Two links were opened in one chat at the same moment; the first has it.
        raise LinkError(LinkRefusal.CHAT_TAKEN) from error
    return subscriber


def _held_link(token_hash: str, now: datetime) -> tuple[Subscriber, LinkToken]:
    """Both locked, the subscriber first, as `issue_link_token` and removal do: else they wait for each other."""
    owner = LinkToken.objects.filter(token_hash=token_hash).values_list("subscriber_id", flat=True).first()
    subscriber = Subscriber.objects.select_for_update().filter(pk=owner or 0).first()
    link = LinkToken.objects.select_for_update().filter(token_hash=token_hash).first()
    if subscriber is None or link is None:
        raise LinkError(LinkRefusal.UNKNOWN)
    if link.used_at is not None:
        raise LinkError(LinkRefusal.USED)
    if link.expires_at <= now:
        raise LinkError(LinkRefusal.EXPIRED)
    if subscriber.status != SubscriberStatus.ACTIVE:
        raise LinkError(LinkRefusal.INACTIVE)
    return subscriber, link


def link_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def mark_unreachable(*, chat_id: int, reason: str) -> bool:
    """Telegram refuses this chat; whether it belongs to anybody."""
    return bool(Subscriber.objects.filter(chat_id=chat_id).update(unreachable_reason=reason[:200]))


def mark_reachable(*, chat_id: int) -> bool:
    """The chat takes messages again; whether it belongs to anybody."""
    return bool(Subscriber.objects.filter(chat_id=chat_id).update(unreachable_reason=""))

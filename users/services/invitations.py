"""Invitations: made in the console, used in a chat that is nobody's yet."""

import secrets
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from users.models import Invitation, InvitationUse, Subscriber, Tier
from users.services.subscribers import TOKEN_BYTES, LinkError, LinkRefusal, link_hash

LONGEST_NAME = 100


def create_invitation(
    *,
    name: str,
    tier: Tier,
    most_uses: int,
    expires_at: datetime,
    by: str,
    days: int | None = None,
    is_trial: bool = False,
) -> tuple[Invitation, str]:
    """The row and its code, of which only the hash is kept; raises ValidationError."""
    code = secrets.token_urlsafe(TOKEN_BYTES)
    invitation = Invitation(
        name=name,
        tier=tier,
        code_hash=link_hash(code),
        most_uses=most_uses,
        expires_at=expires_at,
        days=days,
        is_trial=is_trial,
        created_by=by[:150],
    )
    invitation.full_clean()
    invitation.save()
    return invitation, code


def new_code(*, invitation: Invitation) -> str:
    """Another code in place of the one before, which works no more."""
    code = secrets.token_urlsafe(TOKEN_BYTES)
    invitation.code_hash = link_hash(code)
    invitation.save(update_fields=["code_hash"])
    return code


def revoke_invitation(*, invitation: Invitation, now: datetime) -> None:
    """Nobody comes by it any more; a repeat keeps the first moment."""
    Invitation.objects.filter(pk=invitation.pk, revoked_at=None).update(revoked_at=now)
    invitation.refresh_from_db()


def redeem_invitation_hash(
    *, code_hash: str, chat_id: int, display_name: str, telegram_username: str, now: datetime
) -> Subscriber | None:
    """A new subscriber in that chat; None when no invitation has this code.

    Raises LinkError when it has expired, was revoked or is used up, and when the chat belongs to somebody.
    """
    try:
        with transaction.atomic():
            invitations = Invitation.objects.select_for_update(of=("self",)).select_related("tier")
            invitation = invitations.filter(code_hash=code_hash).first()
            if invitation is None:
                return None
            _require_open(invitation, now)
            if Subscriber.objects.filter(chat_id=chat_id).exists():
                raise LinkError(LinkRefusal.CHAT_TAKEN)
            subscriber = _subscribe(invitation, chat_id, display_name, telegram_username, now)
            invitation.used += 1
            invitation.save(update_fields=["used"])
            InvitationUse.objects.create(invitation=invitation, subscriber=subscriber, used_at=now)
    except IntegrityError as error:
        raise LinkError(LinkRefusal.CHAT_TAKEN) from error
    return subscriber


def _require_open(invitation: Invitation, now: datetime) -> None:
    if invitation.revoked_at is not None or invitation.expires_at <= now:
        raise LinkError(LinkRefusal.INVITATION_OVER)
    if invitation.used >= invitation.most_uses:
        raise LinkError(LinkRefusal.USED_UP)


def _subscribe(
    invitation: Invitation, chat_id: int, display_name: str, telegram_username: str, now: datetime
) -> Subscriber:
    account_types = invitation.tier.account_types
    return Subscriber.objects.create(
        display_name=(display_name or telegram_username or f"Chat {chat_id}")[:LONGEST_NAME],
        tier=invitation.tier,
        account_type=account_types[0] if account_types else "demo",
        chat_id=chat_id,
        telegram_username=telegram_username[:64],
        linked_at=now,
        subscription_starts_at=now,
        subscription_ends_at=now + timedelta(days=invitation.days) if invitation.days else None,
        is_trial=invitation.is_trial,
    )

"""A staff member's own Telegram chat: linked by a one-time token from the console, its rights read at each command."""

import secrets
from datetime import datetime

from django.db import IntegrityError, transaction

from users.models import StaffChat, User
from users.services.subscribers import TOKEN_BYTES, TOKEN_LIFETIME, link_hash


def issue_staff_token(*, user: User, now: datetime) -> str:
    """A one-time token for `/start`, valid 10 minutes; one that was open before ends."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    StaffChat.objects.update_or_create(
        user=user, defaults={"token_hash": link_hash(token), "token_expires_at": now + TOKEN_LIFETIME}
    )
    return token


def redeem_staff_hash(*, token_hash: str, chat_id: int, now: datetime) -> User | None:
    """Bind the chat to the token's owner; None when no open token of active staff has this hash.

    The same token works once; a chat that was somebody else's is this one's from now on.
    """
    try:
        with transaction.atomic():
            chats = StaffChat.objects.select_for_update(of=("self",)).select_related("user")
            chat = chats.filter(token_hash=token_hash, token_expires_at__gt=now).first()
            if chat is None or not token_hash or not _is_staff(chat.user):
                return None
            StaffChat.objects.filter(chat_id=chat_id).exclude(pk=chat.pk).update(chat_id=None, linked_at=None)
            chat.chat_id, chat.linked_at = chat_id, now
            chat.token_hash, chat.token_expires_at = "", None
            chat.save()
    except IntegrityError:
        return None  # two links were opened in one chat at the same moment; the first has it
    return chat.user


def staff_of(*, chat_id: int) -> User | None:
    """Whose staff chat this is now; nobody's once they are staff no more."""
    chat = StaffChat.objects.select_related("user").filter(chat_id=chat_id).first()
    return chat.user if chat is not None and _is_staff(chat.user) else None


def _is_staff(user: User) -> bool:
    return user.is_active and user.is_staff

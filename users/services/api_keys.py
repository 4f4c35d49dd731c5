"""Keys of the API are made, used and revoked."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from users.engine.api_key import SHOWN, ApiScope, key_hash, key_of
from users.models import ApiKey, Tier, User

KEY_BYTES = 32
USE_NOTED_EVERY = timedelta(minutes=1)


class ApiKeyError(Exception):
    """Such a key cannot be made; the text says what to do instead."""


def create_api_key(
    *,
    user: User,
    name: str,
    scopes: Sequence[ApiScope],
    now: datetime,
    tier: Tier | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """The row and the key itself, which nobody can read again."""
    if not name.strip():
        raise ApiKeyError("give the key a name that says what uses it")
    if not scopes:
        raise ApiKeyError(f"choose at least one scope of {', '.join(ApiScope)}")
    if not user.is_staff:
        raise ApiKeyError(f"{user.get_username()} is not staff: a key speaks for somebody who may log in")
    if tier is not None and set(scopes) != {ApiScope.READ}:
        raise ApiKeyError("a key of a tier only reads: leave out trade and train, or the tier")
    if expires_at is not None and expires_at <= now:
        raise ApiKeyError("the key would end before it begins: choose a later end")
    key = key_of(secrets.token_urlsafe(KEY_BYTES))
    row = ApiKey.objects.create(
        name=name.strip(),
        user=user,
        tier=tier,
        scopes=[scope.value for scope in ApiScope if scope in scopes],
        prefix=key[:SHOWN],
        key_hash=key_hash(key),
        created_at=now,
        expires_at=expires_at,
    )
    return row, key


def revoke_api_key(*, key: ApiKey, now: datetime) -> bool:
    """It opens nothing from now on; False if that was so already."""
    done = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
    key.refresh_from_db()
    return bool(done)


def mark_used(*, key: ApiKey, now: datetime) -> None:
    """To the minute: a write for each request would cost more than most requests."""
    if key.last_used_at is None or key.last_used_at <= now - USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).exclude(last_used_at__gte=now).update(last_used_at=now)

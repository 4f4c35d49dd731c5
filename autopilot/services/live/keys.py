"""API keys of exchanges, encrypted under keys that live outside the database. What decrypts is the executor's."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction

from autopilot.models import Account, ExchangeKey, KeySecret, KeyState
from signals.market.models import Exchange
from signals.services.actions import record_action

SHOWN_CHARACTERS = 4


class ApiKeyError(Exception):
    """A key cannot be stored or read; the text says what to do, never what was typed."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Neither is ever shown: not in a traceback, not in a log."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)


def store_key(
    *, account: Account, exchange: Exchange, api_key: str, api_secret: str, by: str, now: datetime
) -> ExchangeKey:
    """Replace the account's key. The executor checks its rights before it trades with it."""
    if not account.is_live:
        raise ApiKeyError("A paper account needs no key.")
    credentials = Credentials(api_key.strip(), api_secret.strip())
    if not (credentials.api_key and credentials.api_secret):
        raise ApiKeyError("Give both the API key and its secret.")
    ciphertext, key_id = encrypted(credentials)
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=account.pk)
        if account.live_orders.alive().exists():
            raise ApiKeyError("Orders of this account are under way: cancel them first.")
        row, _ = ExchangeKey.objects.update_or_create(
            account=account,
            defaults={
                "exchange": exchange,
                "key_id": key_id,
                "shown": credentials.api_key[-SHOWN_CHARACTERS:],
                "state": KeyState.UNCHECKED,
                "ip_restricted": None,
                "note": "",
                "stored_by": by,
                "stored_at": now,
                "checked_at": None,
            },
        )
        keep_ciphertext(row, ciphertext)
        record_action(
            actor=by, what="exchange_key.stored", target=account.name, now=now, after={"key": str(row)}
        )
    return row


def rotate_keys(*, by: str, now: datetime) -> int:
    """Encrypt every key anew under the newest encryption key; how many. Each row by itself: trading goes on."""
    box, newest = encryption(), key_ids()[0]
    done = 0
    for pk in ExchangeKey.objects.exclude(key_id=newest).values_list("pk", flat=True):
        with transaction.atomic():
            row = ExchangeKey.objects.select_for_update().get(pk=pk)
            if not row.ciphertext:
                continue
            try:
                keep_ciphertext(row, box.rotate(row.ciphertext))
            except InvalidToken as error:
                raise wrong_key(row) from error
            row.key_id = newest
            row.save(update_fields=["key_id"])
            record_action(
                actor=by,
                what="exchange_key.rotated",
                target=row.account.name,
                now=now,
                after={"key_id": newest},
            )
        done += 1
    return done


def keep_ciphertext(row: ExchangeKey, ciphertext: bytes) -> None:
    """Without a look at what stands there: whoever stores a key may not read one."""
    if not KeySecret.objects.filter(key=row).update(ciphertext=ciphertext):
        KeySecret(key=row, ciphertext=ciphertext).save(force_insert=True)


def encrypted(credentials: Credentials) -> tuple[bytes, str]:
    """The token, and the id of the key that made it."""
    told = json.dumps([credentials.api_key, credentials.api_secret])
    return encryption().encrypt(told.encode()), key_ids()[0]


def key_ids() -> list[str]:
    """Of the encryption keys at hand, newest first."""
    return [hashlib.sha256(key.encode()).hexdigest()[:12] for key in settings.EXCHANGE_KEY_SECRETS]


def encryption() -> MultiFernet:
    if not settings.EXCHANGE_KEY_SECRETS:
        raise ApiKeyError("EXCHANGE_KEY_SECRETS is empty: without an encryption key no API key can be kept.")
    return MultiFernet([Fernet(key) for key in settings.EXCHANGE_KEY_SECRETS])


def wrong_key(row: ExchangeKey) -> ApiKeyError:
    return ApiKeyError(
        f"The API key of {row.account.name} is encrypted under {row.key_id}, which EXCHANGE_KEY_SECRETS does not hold."
    )

"""API keys: unreadable without the right encryption key, rotated while they are used, refused where not needed."""

import threading
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection

from autopilot.models import Account, AccountKind, ExchangeKey
from autopilot.services.executor.credentials import credentials_of
from autopilot.services.live.keys import ApiKeyError, key_ids, store_key
from signals.market.models import Exchange
from tests.autopilot.accounts import START, make_account

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def stored(account: Account | None = None) -> ExchangeKey:
    account = account or make_account(kind=AccountKind.LIVE)
    exchange, _ = Exchange.objects.get_or_create(code="binance", defaults={"name": "Binance"})
    return store_key(
        account=account,
        exchange=exchange,
        api_key="canary-key",
        api_secret="canary-secret",
        by="ada",
        now=START,
    )


@pytest.mark.django_db
def test_a_wrong_encryption_key_raises_and_shows_nothing(settings: Any) -> None:
    settings.EXCHANGE_KEY_SECRETS = [OLD]
    row = stored()
    settings.EXCHANGE_KEY_SECRETS = [NEW]
    with pytest.raises(ApiKeyError) as refused:
        credentials_of(row)
    assert "canary" not in str(refused.value)
    assert bytes(row.ciphertext).decode() not in str(refused.value)


@pytest.mark.django_db
def test_without_an_encryption_key_and_for_paper_none_is_kept(settings: Any) -> None:
    settings.EXCHANGE_KEY_SECRETS = []
    with pytest.raises(ApiKeyError, match="EXCHANGE_KEY_SECRETS"):
        stored()
    settings.EXCHANGE_KEY_SECRETS = [OLD]
    with pytest.raises(ApiKeyError, match="paper"):
        stored(make_account())


@pytest.mark.django_db
def test_credentials_are_shown_nowhere(settings: Any) -> None:
    settings.EXCHANGE_KEY_SECRETS = [OLD]
    row = stored()
    told = credentials_of(row)
    assert (told.api_key, told.api_secret) == ("canary-key", "canary-secret")
    assert "canary" not in repr(told) + repr(row) + repr(row.__dict__)


@pytest.mark.django_db(transaction=True)
def test_keys_are_rotated_while_they_are_read(settings: Any) -> None:
    settings.EXCHANGE_KEY_SECRETS = [OLD]
    rows = [stored() for _ in range(10)]
    settings.EXCHANGE_KEY_SECRETS = [NEW, OLD]
    failures: list[Exception] = []
    over = threading.Event()

    def read() -> None:
        try:
            while not over.is_set():
                for row in ExchangeKey.objects.all():
                    assert credentials_of(row).api_key == "canary-key"
        except (ApiKeyError, AssertionError) as error:
            failures.append(error)
        finally:
            connection.close()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    call_command("rotate_exchange_keys", verbosity=0)
    over.set()
    for reader in readers:
        reader.join()
    assert not failures
    settings.EXCHANGE_KEY_SECRETS = [NEW]
    assert set(ExchangeKey.objects.values_list("key_id", flat=True)) == {key_ids()[0]}
    assert all(credentials_of(row).api_secret == "canary-secret" for row in ExchangeKey.objects.all())
    assert len(rows) == 10

"""The page Live trading: accounts, locks, two persons, write-only keys, orders of unknown fate, one-click halt."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.utils import timezone

from autopilot.engine.order import OrderSide, OrderType
from autopilot.models import Account, AccountKind, LiveArming, LiveOrder, Order, SymbolFreeze
from signals.market.models import Exchange
from signals.models import KillSwitch
from tests.autopilot.accounts import START, make_account
from tests.factories import make_instrument
from tests.users.totp import totp
from users.models import User

pytestmark = pytest.mark.django_db
PAGE = "/admin/console/live/"
ACT = f"{PAGE}act/"
PASSWORD = "a-password-1"


@pytest.fixture(autouse=True)
def _encrypts(settings: Any) -> None:
    settings.EXCHANGE_KEY_SECRETS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss", "boss@example.com", PASSWORD))
    return client


@pytest.fixture
def account() -> Account:
    return make_account(kind=AccountKind.LIVE, name="Binance live")


def read(client: Client, address: str = PAGE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def act(client: Client, do: str, **values: Any) -> str:
    answer = client.post(ACT, {"do": do} | values, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def unknown_order(account: Account, **values: Any) -> LiveOrder:
    instrument = make_instrument(symbol="BTC/USDT", base="BTC", market_type="spot")
    position = account.positions.create(
        instrument=instrument, timeframe="1h", tick=Decimal("0.01"), lot=Decimal("0.001"), clock=START
    )
    order = Order.objects.create(
        account=account,
        instrument=instrument,
        position=position,
        client_order_id="cptest",
        timeframe="1h",
        side=OrderSide.BUY.value,
        type=OrderType.MARKET.value,
        purpose="entry",
        state="open",
        quantity=1,
        remaining=1,
        candle_open_time=START,
        active_from=START,
        placed_at=START,
    )
    live = LiveOrder.objects.create(
        order=order,
        account=account,
        instrument=instrument,
        state="unknown",
        sent_quantity=1,
        written_at=START,
        submitted_at=START,
        **values,
    )
    SymbolFreeze.objects.create(
        account=account, instrument=instrument, order=order, cause="unknown_order", frozen_at=START
    )
    return live


def test_account_is_opened_with_all_its_locks_shut(boss: Client) -> None:
    assert "Everything trades on paper" in read(boss)
    text = act(boss, "open", name="Binance live", currency="usdt", cash="500")
    assert "Binance live is open" in text
    assert "The account has no usable API key" in text
    assert "Never compared with the exchange" in text


def test_key_is_written_and_never_shown(boss: Client, account: Account) -> None:
    exchange, _ = Exchange.objects.get_or_create(code="binance", defaults={"name": "Binance"})
    text = act(
        boss,
        "key",
        account=account.pk,
        exchange=exchange.pk,
        api_key="canary-key",
        api_secret="canary-secret",
    )
    assert "…-key" in text
    assert "canary" not in text + read(boss)
    account.refresh_from_db()
    assert b"canary" not in bytes(account.exchange_key.ciphertext)


def with_factor(client: Client, user: User) -> None:
    """An authenticator app, whose code was typed just now."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    client.post("/accounts/2fa/reauthenticate/", {"code": totp(secret)})


def test_two_persons_arm_with_typed_name_and_second_factor(
    boss: Client, account: Account, client: Client
) -> None:
    assert "Type the account" in act(boss, "ask", account=account.pk, typed="else", reason="x")
    act(boss, "ask", account=account.pk, typed=account.name, reason="go")
    arming = LiveArming.objects.get()
    other = User.objects.create_superuser("other", "other@example.com", PASSWORD)
    same = {"arming": arming.pk, "typed": account.name}
    assert "takes a second factor" in act(boss, "confirm", **same)
    with_factor(boss, User.objects.get(username="boss"))
    assert "Another person must confirm" in act(boss, "confirm", **same)
    client.force_login(other)
    assert "takes a second factor" in act(client, "confirm", **same)
    assert not account.armings.in_force(timezone.now()).exists()
    with_factor(client, other)
    assert "armed for 1 to 24 hours" in act(client, "confirm", **same, hours=25)
    assert "trades live until" in act(client, "confirm", **same)
    assert account.armings.in_force(timezone.now()).exists()
    assert not account.armings.in_force(timezone.now() + timedelta(hours=25)).exists()
    act(client, "disarm", account=account.pk)
    assert not account.armings.in_force(timezone.now()).exists()


def test_only_person_may_confirm_alone(boss: Client, account: Account) -> None:
    act(boss, "ask", account=account.pk, typed=account.name, reason="go")
    arming = LiveArming.objects.get()
    confirm = {"arming": arming.pk, "typed": account.name}
    assert "trades live until" in act(boss, "confirm", **confirm)


def test_halt_is_one_click(boss: Client) -> None:
    assert "Halted" in act(boss, "halt")
    assert KillSwitch.objects.get().state == "engaged"


def test_unknown_order_is_shown_and_decided_only_without_evidence(boss: Client, account: Account) -> None:
    live = unknown_order(account)
    assert "Unknown and frozen" in read(boss)
    assert "Nobody can end it yet" in read(boss, f"{PAGE}orders/{live.pk}/")
    assert "knows nothing can be decided" in act(boss, "decide", order=live.pk, note="not there")
    LiveOrder.objects.update(first_empty_at=START, last_empty_at=START + timedelta(minutes=10))
    assert "never was at the exchange" in read(boss, f"{PAGE}orders/{live.pk}/")
    assert "ended by your decision" in act(boss, "decide", order=live.pk, note="not there")
    assert "decided" in read(boss, f"{PAGE}orders/{live.pk}/").lower()
    assert not SymbolFreeze.objects.filter(lifted_at=None).exists()


def test_freeze_is_lifted_with_a_word(boss: Client, account: Account) -> None:
    instrument = make_instrument()
    freeze = SymbolFreeze.objects.create(
        account=account, instrument=instrument, cause="position_differs", frozen_at=START
    )
    assert "Say what you saw" in act(boss, "lift", freeze=freeze.pk, note=" ")
    assert "freeze is lifted" in act(boss, "lift", freeze=freeze.pk, note="sold by hand")


def test_reader_changes_nothing(client: Client, account: Account) -> None:
    client.force_login(User.objects.create_user("reader", "r@example.com", PASSWORD, is_staff=True))
    assert client.get(PAGE).status_code == 403
    assert client.post(ACT, {"do": "halt"}).status_code == 403

"""Roles of the database: web stores keys that it cannot read, the executor trades and sees nothing of people."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import ProgrammingError, connection, transaction

from autopilot.models import ExchangeKey, Position, Reconciliation
from autopilot.services.executor.credentials import credentials_of
from autopilot.services.live.keys import rotate_keys, store_key
from autopilot.services.live.stops import move_stop
from autopilot.services.orders import close_position
from copilot_project.database_roles import grant_to_application, grant_to_executor
from copilot_project.embedded.state import APPLICATION, EXECUTOR
from tests.autopilot.services.executor.exchange import Hands

pytestmark = pytest.mark.django_db


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        try:
            yield
        finally:
            cursor.execute("RESET ROLE")


def refused(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except ProgrammingError as error:
        return "permission denied" in str(error)
    return False


@pytest.fixture
def roles(db: None) -> None:
    """As `manage.py migrate` leaves them; rolled back with the test."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if not cursor.fetchone()[0]:
            pytest.skip("a server of yours: its role makes no others")
    grant_to_application(role=APPLICATION, password=None)
    grant_to_executor(role=EXECUTOR, password=None, application=APPLICATION)


def test_a_trade_from_the_stored_key_to_its_end_by_two_roles(
    hands: Hands, roles: None, settings: Any
) -> None:
    account = hands.account
    with acting_as(APPLICATION):
        store_key(
            account=account,
            exchange=hands.exchange,
            api_key=hands.key,
            api_secret="canary-secret",
            by="ada",
            now=hands.now(),
        )
        assert refused("SELECT ciphertext FROM autopilot_keysecret")
        assert refused("UPDATE autopilot_keysecret SET ciphertext = ciphertext || ciphertext")
        assert refused(
            "UPDATE autopilot_exchangekey SET note = (SELECT encode(ciphertext, 'hex') FROM autopilot_keysecret)"
        )
        assert refused("COPY autopilot_keysecret TO STDOUT")
    with acting_as(EXECUTOR):
        hands.executor.start()
        hands.turn()
    with acting_as(APPLICATION):
        hands.arm()
        assert hands.order("0.01", stop=Decimal(48_000)).is_open
    with acting_as(EXECUTOR):
        hands.turn(3)
    position = Position.objects.get()
    assert position.quantity > 0
    with acting_as(APPLICATION):
        assert move_stop(position=position, price=Decimal(49_000), by="ada", now=hands.now())
        moment = {"candle_open_time": position.clock, "now": hands.now(), "by": "ada"}
        close_position(account=account, instrument=hands.instrument, **moment)
    with acting_as(EXECUTOR):
        hands.turn(4)
        settings.EXCHANGE_KEY_SECRETS = [Fernet.generate_key().decode(), *settings.EXCHANGE_KEY_SECRETS]
        assert rotate_keys(by="test", now=hands.now()) == 1
        assert credentials_of(ExchangeKey.objects.get()).api_secret == "canary-secret"
    assert Position.objects.get().quantity == 0
    assert Reconciliation.objects.get().is_clean


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM users_user",
        "SELECT * FROM users_subscriber",
        "SELECT * FROM notifications_delivery",
        "SELECT * FROM django_session",
        "INSERT INTO signals_signal DEFAULT VALUES",
        "UPDATE signals_killswitch SET state = 'active'",
        "DELETE FROM signals_action",
        "ALTER TABLE autopilot_order DISABLE TRIGGER ALL",
    ],
)
def test_the_executor_may_not(roles: None, statement: str) -> None:
    with acting_as(EXECUTOR):
        if statement.startswith("ALTER"):
            with pytest.raises(ProgrammingError, match="must be owner"), transaction.atomic():
                connection.cursor().execute(statement)
        else:
            assert refused(statement)

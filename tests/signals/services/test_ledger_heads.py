"""A head signs what was appended, once a day, and nothing that was changed since."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import DatabaseError, connection, transaction
from pytest_django.fixtures import Settings

from signals.engine.merkle import merkle_root
from signals.models import Alarm, LedgerEntry, LedgerHead
from signals.selectors import leaf_hashes
from signals.services.ledger_heads import LedgerBrokenError, sign_daily_head, sign_head
from signals.services.ledger_key import LedgerKeyMissingError, public_hex, signing_key
from tests.ledgers import leaves_of
from tests.notifications.rows import make_outcome, make_signal

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NO_ROWS = "DELETE FROM signals_signaloutcome; DELETE FROM signals_signal"


@pytest.fixture(autouse=True)
def own_key(settings: Settings) -> None:
    settings.LEDGER_SIGNING_KEY = "ab" * 32


def append(signals: int) -> None:
    for _ in range(signals):
        make_outcome(signal=make_signal(published_at=NOON))


def tamper(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_a_head_states_the_chains_end_and_the_root_and_its_signature_holds() -> None:
    append(3)
    head = sign_head(now=NOON)

    assert head is not None
    entries = list(LedgerEntry.objects.entries())
    assert (head.size, head.chain_hash) == (6, entries[-1].hash)
    assert leaf_hashes(size=6) == leaves_of(entries)
    assert leaf_hashes(size=4) == leaves_of(entries)[:4]
    assert head.root_hash == merkle_root(leaves_of(entries)).hex()
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(head.public_key))
    key.verify(bytes.fromhex(head.signature), LedgerHead.objects.get().as_head().statement())


def test_each_head_refers_to_the_one_before_across_a_change_of_the_key(settings: Settings) -> None:
    append(1)
    first = sign_head(now=NOON)
    settings.LEDGER_SIGNING_KEY = "cd" * 32
    second = sign_head(now=NOON + DAY)

    assert first is not None
    assert second is not None
    assert (first.previous, second.previous) == ("0" * 64, first.as_head().digest())
    assert first.public_key != second.public_key


def test_there_is_one_head_a_day_and_none_of_nothing() -> None:
    assert sign_daily_head(now=NOON) is None
    append(1)
    moments = [NOON, NOON + timedelta(hours=11), NOON + timedelta(hours=12), NOON + 5 * DAY]
    assert [sign_daily_head(now=moment) is not None for moment in moments] == [True, False, True, True]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE signals_ledgerentry SET payload = payload || ' '::bytea WHERE sequence = 3",
        "UPDATE signals_ledgerentry SET salt = decode(repeat('00', 32), 'hex') WHERE sequence = 3",
        "UPDATE signals_ledgerentry SET prev_hash = repeat('0', 64) WHERE sequence = 3",
        f"{NO_ROWS}; DELETE FROM signals_ledgerentry WHERE sequence = 3",
    ],
)
def test_what_was_changed_behind_the_triggers_is_not_signed_but_alarmed(statement: str) -> None:
    append(3)
    tamper(statement)

    with pytest.raises(LedgerBrokenError) as refusal:
        sign_head(now=NOON)
    assert refusal.value.sequence == 3
    assert sign_daily_head(now=NOON) is None
    assert sign_daily_head(now=NOON) is None
    assert "broken at sequence 3" in Alarm.objects.get(name="ledger", cleared_at=None).detail
    assert not LedgerHead.objects.exists()


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda: append(2),  # a whole chain of another content
        lambda: None,  # cut to nothing
        lambda: append(1),  # a shorter one
    ],
)
def test_a_history_made_anew_is_not_signed_behind_a_head_of_the_old_one(
    rewrite: Callable[[], None],
) -> None:
    append(2)
    sign_head(now=NOON)
    tamper(f"{NO_ROWS}; DELETE FROM signals_ledgerentry")
    rewrite()

    with pytest.raises(LedgerBrokenError) as refusal:
        sign_head(now=NOON + DAY)
    assert refusal.value.sequence == 1


def test_a_head_that_can_be_signed_again_ends_the_alarm() -> None:
    append(1)
    Alarm.objects.create(name="ledger", raised_at=NOON, detail="broken")
    sign_daily_head(now=NOON)
    assert not Alarm.objects.filter(cleared_at=None).exists()


def test_heads_are_only_ever_added() -> None:
    append(1)
    sign_head(now=NOON)
    for change in (LedgerHead.objects.all().delete, lambda: LedgerHead.objects.update(size=9)):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_development_makes_a_key_for_itself_and_keeps_it(settings: Settings, tmp_path: Path) -> None:
    settings.LEDGER_SIGNING_KEY, settings.STATE_DIR = "", tmp_path / "state"
    first = signing_key()

    assert public_hex(signing_key()) == public_hex(first)
    [file] = settings.STATE_DIR.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_production_signs_with_its_own_key_or_not_at_all(settings: Settings) -> None:
    settings.LEDGER_SIGNING_KEY, settings.PRODUCTION = "", True
    append(1)
    with pytest.raises(LedgerKeyMissingError, match="LEDGER_SIGNING_KEY"):
        sign_head(now=NOON)
    assert sign_daily_head(now=NOON) is None

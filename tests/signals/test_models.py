"""What the database itself refuses, whoever writes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from signals.engine.ledger import canonical_json, verify
from signals.engine.strategy import Direction, StrategySignal
from signals.engine.timeframe import Timeframe
from signals.market.models import Exchange, Instrument
from signals.models import LedgerEntry, Signal, SignalSource
from signals.services.publishing import ledger_facts, publish
from tests.factories import make_instrument

pytestmark = pytest.mark.django_db


def publish_one(**values: Any) -> Signal:
    decision = StrategySignal("rsi", Direction.LONG, 0.6, 100.0, 95.0, 110.0, ("because",))
    return publish(
        instrument=make_instrument(),
        decision=decision,
        timeframe=Timeframe.H1,
        candle_open_time=datetime(2025, 1, 1, tzinfo=UTC),
        source=SignalSource.HYBRID,
        **values,
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE signals_signal SET confidence = 0.99",
        "DELETE FROM signals_signal",
        "TRUNCATE signals_signal CASCADE",
        "UPDATE signals_ledgerentry SET payload = ''",
        "DELETE FROM signals_ledgerentry",
        "TRUNCATE signals_ledgerentry CASCADE",
    ],
)
def test_a_published_signal_cannot_be_changed_or_removed(statement: str) -> None:
    publish_one()

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert Signal.objects.get().confidence == 0.6
    assert verify(LedgerEntry.objects.entries()) is None


@pytest.mark.parametrize(
    "rename",
    [
        lambda signal: Exchange.objects.update(code="elsewhere"),
        lambda signal: Instrument.objects.update(symbol="OTHER/USDT"),
        lambda signal: Instrument.objects.update(
            exchange=Exchange.objects.create(code="other", name="Other")
        ),
    ],
)
def test_what_the_ledger_names_is_not_renamed(rename: Callable[[Signal], object]) -> None:
    signal = publish_one()

    with pytest.raises(DatabaseError, match="stands in the ledger"), transaction.atomic():
        rename(signal)

    assert verify(LedgerEntry.objects.entries()) is None
    told = json.loads(LedgerEntry.objects.get().payload)
    signal = Signal.objects.with_instrument().get()
    assert (told["exchange"], told["symbol"]) == (signal.instrument.exchange.code, signal.instrument.symbol)


def test_what_the_ledger_does_not_name_may_be_renamed_and_its_name_be_improved() -> None:
    signal, unused = (
        publish_one(),
        make_instrument(exchange=Exchange.objects.create(code="typo", name="Typo")),
    )

    Exchange.objects.filter(pk=unused.exchange_id).update(code="kraken")
    Instrument.objects.filter(pk=unused.pk).update(symbol="BTC/EUR")
    Exchange.objects.filter(pk=signal.instrument.exchange_id).update(name="Binance Spot")
    Instrument.objects.filter(pk=signal.instrument_id).update(is_active=False)

    assert Exchange.objects.filter(code="kraken").exists()


def test_the_payload_that_was_hashed_holds_what_the_signal_says() -> None:
    signal = publish_one()

    entry = LedgerEntry.objects.get()

    header = {"kind": "signal", "schema": 2, "sequence": 1}
    assert bytes(entry.payload) == canonical_json(ledger_facts(Signal.objects.get()) | header)
    assert signal.sequence == entry.sequence == 1
    assert len(entry.salt) == 32


def test_a_signal_expires_four_bars_after_publication() -> None:
    signal = publish_one()

    assert signal.expires_at - signal.published_at == timedelta(hours=4)


def test_publishing_the_same_candle_again_returns_the_standing_signal() -> None:
    first = publish_one()

    again = publish(
        instrument=first.instrument,
        decision=StrategySignal("macd", Direction.SHORT, 0.9, 100.0, 110.0, 90.0, ("other",)),
        timeframe=Timeframe.H1,
        candle_open_time=first.candle_open_time,
        source=SignalSource.HYBRID,
    )

    assert again == first
    assert Signal.objects.count() == 1


def test_public_ids_do_not_reveal_how_many_signals_there_are() -> None:
    ids = [publish_one().public_id for _ in range(3)]

    assert all(public_id.version == 4 for public_id in ids)


def test_a_stop_on_the_wrong_side_is_refused_by_the_database() -> None:
    values = {field.attname: getattr(publish_one(), field.attname) for field in Signal._meta.concrete_fields}
    values |= {"id": None, "ledger_entry_id": 2, "variant": "b", "stop_loss": 105.0}
    values["public_id"] = "00000000-0000-4000-8000-000000000001"

    with pytest.raises(IntegrityError, match="stop_and_target_enclose_entry"), transaction.atomic():
        Signal(**values).save(force_insert=True)

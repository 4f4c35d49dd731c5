"""Published signals are followed on stored candles: once, patiently, and never on what was not closed."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.db import DatabaseError, transaction
from structlog.testing import capture_logs

from signals.engine.candle import OHLCV
from signals.engine.costs import SPOT_COSTS, CostRates, rates_for
from signals.engine.ledger import verify
from signals.engine.outcome import follow
from signals.engine.strategy import Direction
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Instrument, ItemFailure
from signals.models import LedgerEntry, Signal, SignalOutcome
from signals.services import outcomes
from signals.services.outcomes import record_outcomes
from tests.factories import make_instrument, make_series, store
from tests.notifications.rows import make_signal

pytestmark = pytest.mark.django_db

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SERIES = make_series(bars=120, start=START, seed=4)
LATE = START + 500 * HOUR


@pytest.fixture
def instrument() -> Instrument:
    return make_instrument()


def cut(rows: np.ndarray | slice) -> OHLCV:
    return OHLCV(*(getattr(SERIES, field.name)[rows] for field in fields(OHLCV)))


def publish_at(
    instrument: Instrument,
    row: int,
    direction: Direction = Direction.LONG,
    width: float = 0.02,
    after_close: timedelta = timedelta(seconds=3),
) -> Signal:
    entry = float(SERIES.close[row])
    away = entry * width * direction.sign
    return make_signal(
        instrument=instrument,
        candle_open_time=START + row * HOUR,
        published_at=START + (row + 1) * HOUR + after_close,
        direction=direction.value,
        entry_price=entry,
        stop_loss=entry - away,
        take_profit=entry + 1.5 * away,
    )


def record(as_of: datetime) -> int:
    return record_outcomes(exchange_code="binance", as_of=as_of, now=LATE)


def by_engine(signal: Signal, row: int) -> tuple[datetime, float]:
    """When (close of the last bar) and with how much R the engine says that it ended."""
    found = follow(
        SERIES,
        rows=[row],
        directions=[Direction(signal.direction).sign],
        entry_prices=[signal.entry_price],
        stop_losses=[signal.stop_loss],
        take_profits=[signal.take_profit],
    )
    return datetime.fromtimestamp(int(found.exited_at[0]) / 1000, UTC) + HOUR, float(found.r_multiple[0])


def test_each_signal_gets_the_engines_outcome_when_its_last_candle_has_closed(instrument: Instrument) -> None:
    store(instrument, Timeframe.H1, SERIES)
    rows = {
        publish_at(instrument, row, direction): row
        for row, direction in ((10, Direction.LONG), (11, Direction.SHORT), (40, Direction.LONG))
    }
    for signal, row in rows.items():
        ended_at, expected = by_engine(signal, row)

        record(ended_at - timedelta(seconds=1))
        assert not SignalOutcome.objects.filter(signal=signal).exists()

        record(ended_at)
        outcome = SignalOutcome.objects.get(signal=signal)
        assert outcome.r_multiple == pytest.approx(expected)
        assert outcome.entered_at == START + (row + 1) * HOUR
        assert outcome.exited_at + HOUR == ended_at


def test_recording_again_writes_nothing_and_an_outcome_cannot_be_changed(instrument: Instrument) -> None:
    store(instrument, Timeframe.H1, SERIES)
    publish_at(instrument, 10)

    assert (record(LATE), record(LATE)) == (1, 0)
    outcome = SignalOutcome.objects.get()
    for change in (outcome.delete, lambda: SignalOutcome.objects.update(r_multiple=99)):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_a_missing_candle_is_waited_for_and_then_counted(instrument: Instrument) -> None:
    signal = publish_at(instrument, 10)
    ended_at, expected = by_engine(signal, 10)
    store(instrument, Timeframe.H1, cut(np.flatnonzero(np.arange(120) != 12)))

    assert record(ended_at + HOUR) == 0

    store(instrument, Timeframe.H1, cut(slice(12, 13)))
    assert record(ended_at + HOUR) == 1
    assert SignalOutcome.objects.get().r_multiple == pytest.approx(expected)


def test_a_hole_that_nobody_fills_for_a_day_was_an_outage(instrument: Instrument) -> None:
    publish_at(instrument, 10, width=0.5)
    store(instrument, Timeframe.H1, cut(np.flatnonzero(np.arange(120) != 11)))
    exits_in = START + 36 * HOUR  # the entry's candle is missing: in at 12:00, 24 bars that exist

    assert record(exits_in + HOUR - timedelta(seconds=1)) == 0
    assert record(exits_in + HOUR) == 1  # the hole is 25 hours old when the last bar has closed
    outcome = SignalOutcome.objects.get()
    assert (outcome.entered_at, outcome.exited_at) == (START + 12 * HOUR, exits_in)
    assert outcome.exit_reason == "expiry"


@pytest.mark.parametrize("missing", [20, 35])
def test_an_outcome_across_an_outage_is_written_a_day_after_the_outage(
    instrument: Instrument, missing: int
) -> None:
    """Not a day after the exit: then nothing more is to come of the hole, whenever the trade ended."""
    publish_at(instrument, 10, width=0.5)
    store(instrument, Timeframe.H1, cut(np.flatnonzero(np.arange(120) != missing)))
    a_day_after = START + (missing + 1 + 24) * HOUR

    assert record(a_day_after - timedelta(seconds=1)) == 0
    assert record(a_day_after) == 1
    outcome = SignalOutcome.objects.get()
    assert (outcome.exited_at, outcome.bars_held) == (START + 36 * HOUR, 24)


def test_a_hole_before_the_entry_or_after_the_exit_delays_nothing(instrument: Instrument) -> None:
    publish_at(instrument, 3, width=0.5)
    publish_at(instrument, 10, width=0.5)
    store(instrument, Timeframe.H1, cut(np.flatnonzero(~np.isin(np.arange(120), (6, 7, 36)))))

    record(START + 38 * HOUR)

    entries = SignalOutcome.objects.order_by("entered_at").values_list("entered_at", flat=True)
    assert list(entries) == [START + 4 * HOUR, START + 11 * HOUR]


def test_a_bar_that_no_price_can_follow_is_told_and_stops_nobody_else(instrument: Instrument) -> None:
    store(instrument, Timeframe.H1, SERIES)
    Candle.objects.filter(open_time=START + 20 * HOUR).update(high=1e9)
    followed = publish_at(instrument, 40)
    refused = publish_at(instrument, 10, width=0.5)

    with capture_logs() as told:
        assert record(LATE) == 1

    assert SignalOutcome.objects.get().signal == followed
    assert [(each["log_level"], each["signal"]) for each in told] == [("warning", str(refused))]
    assert "too far above" in told[0]["event"]


@pytest.mark.parametrize("source", ["hybrid", "autopilot"])
@pytest.mark.parametrize(
    ("after_close", "entered_at"),
    [
        (timedelta(minutes=5), START + 11 * HOUR),
        (timedelta(minutes=5, microseconds=1), START + 12 * HOUR),
        (timedelta(minutes=40), START + 12 * HOUR),
        (timedelta(hours=1), START + 12 * HOUR),
        (timedelta(hours=2, seconds=1), START + 14 * HOUR),
    ],
)
def test_a_signal_that_came_late_is_entered_after_it_came(
    instrument: Instrument, source: str, after_close: timedelta, entered_at: datetime
) -> None:
    """Judged by its publication, whoever published it: nobody could have bought at the open before."""
    store(instrument, Timeframe.H1, SERIES)
    published_at = START + 11 * HOUR + after_close
    make_signal(
        instrument=instrument,
        candle_open_time=START + 10 * HOUR,
        published_at=published_at,
        source=source,
        entry_price=float(SERIES.close[10]),
        stop_loss=float(SERIES.close[10]) * 0.5,
        take_profit=float(SERIES.close[10]) * 1.5,
    )

    record(LATE)

    assert SignalOutcome.objects.get().entered_at == entered_at


def test_outcomes_join_the_ledger_behind_their_signals(instrument: Instrument) -> None:
    store(instrument, Timeframe.H1, SERIES)
    signals = [publish_at(instrument, row) for row in (10, 40)]

    record(LATE)
    record(LATE)

    assert verify(LedgerEntry.objects.entries()) is None
    payloads = [json.loads(entry.payload) for entry in LedgerEntry.objects.entries()]
    assert [each["kind"] for each in payloads] == ["signal", "signal", "outcome", "outcome"]
    assert [each["signal"] for each in payloads[2:]] == [str(signal.public_id) for signal in signals]
    for outcome in SignalOutcome.objects.all():
        told = payloads[outcome.ledger_entry_id - 1]
        assert told["r_multiple"] == outcome.r_multiple
        assert told["signal_sequence"] == outcome.signal.sequence
        assert told["taker_bps"] == float(outcome.taker_bps)


def test_a_signal_without_a_candle_after_it_waits(instrument: Instrument) -> None:
    publish_at(instrument, 10)
    assert record(LATE) == 0
    store(instrument, Timeframe.H1, cut(slice(0, 11)))
    assert record(LATE) == 0


def test_instruments_and_exchanges_are_kept_apart(instrument: Instrument) -> None:
    store(instrument, Timeframe.H1, SERIES)
    publish_at(instrument, 10)
    publish_at(make_instrument(), 10)  # has no candles

    assert record_outcomes(exchange_code="kraken", as_of=LATE, now=LATE) == 0
    assert record(LATE) == 1
    assert SignalOutcome.objects.get().signal.instrument == instrument
    assert Candle.objects.count() == len(SERIES)


@pytest.mark.parametrize(
    ("values", "rates"),
    [
        ({}, SPOT_COSTS),
        ({"asset_class": "forex"}, rates_for("forex")),
        ({"market_type": "perpetual"}, rates_for("crypto", "perpetual")),
        ({"taker_bps": Decimal("7.5")}, replace(SPOT_COSTS, taker_bps=Decimal("7.5"))),
    ],
)
def test_an_outcome_pays_the_costs_of_its_instrument(values: dict[str, Any], rates: CostRates) -> None:
    instrument = make_instrument(**values)
    store(instrument, Timeframe.H1, SERIES)
    signal = publish_at(instrument, 10)

    assert record(START + 119 * HOUR) == 1

    outcome = SignalOutcome.objects.get(signal=signal)
    assert (outcome.maker_bps, outcome.taker_bps, outcome.slippage_bps) == (
        rates.maker_bps,
        rates.taker_bps,
        rates.slippage_bps,
    )
    expected = follow(
        SERIES,
        rows=[10],
        directions=[1],
        entry_prices=[signal.entry_price],
        stop_losses=[signal.stop_loss],
        take_profits=[signal.take_profit],
        rates=rates,
    )
    assert outcome.r_multiple == pytest.approx(expected.r_multiple[0])


def test_one_instrument_that_cannot_be_followed_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken, sound = make_instrument(), make_instrument()
    for each in (broken, sound):
        store(each, Timeframe.H1, SERIES)
        publish_at(each, 10)
    real = outcomes.load_range

    def load(*, instrument_id: int, **others: Any) -> OHLCV:
        if instrument_id == broken.pk:
            raise ValueError("row 7: high is below low")
        return real(instrument_id=instrument_id, **others)

    monkeypatch.setattr(outcomes, "load_range", load)

    assert record(START + 119 * HOUR) == 1
    assert SignalOutcome.objects.get().signal.instrument == sound
    assert ItemFailure.objects.get().error == "ValueError: row 7: high is below low"

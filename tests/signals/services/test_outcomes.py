"""Published signals are followed on stored candles: once, patiently, and never on what was not closed."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import DatabaseError, transaction
from structlog.testing import capture_logs

from signals.engine.candle import OHLCV
from signals.engine.outcome import follow
from signals.engine.strategy import Direction, StrategySignal
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Instrument
from signals.models import Evaluation, Signal, SignalOutcome, SignalSource
from signals.services.outcomes import record_outcomes
from signals.services.publishing import publish
from tests.factories import make_instrument, make_series, store

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
    instrument: Instrument, row: int, direction: Direction = Direction.LONG, width: float = 0.02
) -> Signal:
    entry = float(SERIES.close[row])
    away = entry * width * direction.sign
    decision = StrategySignal("rsi", direction, 0.6, entry, entry - away, entry + 1.5 * away, ("because",))
    return publish(
        instrument=instrument,
        decision=decision,
        timeframe=Timeframe.H1,
        candle_open_time=START + row * HOUR,
        source=SignalSource.HYBRID,
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


def test_a_signal_that_came_late_is_entered_after_it_came(instrument: Instrument) -> None:
    """Decided 40 minutes after its candle closed: nobody could have bought at the open before."""
    store(instrument, Timeframe.H1, SERIES)
    signal = publish_at(instrument, 10)
    decided_at = START + 11 * HOUR + timedelta(minutes=40)
    Evaluation.objects.create(
        instrument=instrument,
        timeframe="1h",
        candle_open_time=signal.candle_open_time,
        source="hybrid",
        outcome="signal",
        reason="because",
        signal=signal,
        as_of=decided_at,
        evaluated_at=decided_at,
    )

    record(LATE)

    assert SignalOutcome.objects.get().entered_at == START + 12 * HOUR


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

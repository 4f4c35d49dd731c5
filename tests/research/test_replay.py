"""A replay decides as live would have, hears nothing of the future, and leaves the live tables alone."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from notifications.models import Delivery
from research.models import ReplayDelivery, ReplayRun
from research.services.replay_history import lacking_history
from research.services.replay_results import replay_results
from signals.engine.outcome import follow
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Instrument
from signals.models import Evaluation, Signal
from signals.services.evaluation import judge
from tests.factories import make_instrument, make_series, merge_bars, store, tail

START = datetime(2025, 1, 1, tzinfo=UTC)
BARS = 24 * 370
END = START + timedelta(hours=BARS)
SERIES = make_series(bars=BARS, start=START, seed=7)
SPAN = timedelta(hours=48)

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def instrument() -> Instrument:
    instrument = make_instrument()
    store(instrument, Timeframe.H1, tail(SERIES, 600))
    store(instrument, Timeframe.H4, tail(merge_bars(SERIES, Timeframe.H4), 520))
    store(instrument, Timeframe.D1, merge_bars(SERIES, Timeframe.D1))
    return instrument


def run(start: datetime) -> tuple[ReplayRun, str]:
    printed = StringIO()
    call_command("replay", "--from", start.isoformat(), "--to", (start + SPAN).isoformat(), stdout=printed)
    return ReplayRun.objects.latest("pk"), printed.getvalue()


def test_replay_equals_the_live_decision_at_each_close_and_a_second_run(instrument: Instrument) -> None:
    start = END - SPAN
    closes = [start + timedelta(hours=hour) for hour in range(48)]
    expected = [close for close in closes if judge(instrument=instrument, as_of=close).signal]
    assert expected, "a span in which nothing fires would prove nothing"

    first, printed = run(start)
    second, _ = run(start)

    assert list(first.signals.values_list("published_at", flat=True)) == expected
    assert first.outcomes == second.outcomes
    assert list(first.signals.values_list("published_at", "confidence")) == list(
        second.signals.values_list("published_at", "confidence")
    )
    assert f"Signals: {len(expected)}" in printed


def test_candles_that_close_after_the_span_change_nothing(instrument: Instrument) -> None:
    start = END - 2 * SPAN
    before, _ = run(start)
    Candle.objects.filter(open_time__gte=start + SPAN).update(close=1.0, low=0.5)

    after, _ = run(start)

    assert before.outcomes == after.outcomes


def test_live_tables_stay_empty(instrument: Instrument) -> None:
    run(END - SPAN)

    assert not Signal.objects.exists()
    assert not Evaluation.objects.exists()
    assert not Delivery.objects.exists()
    assert not ReplayDelivery.objects.exists()  # nobody subscribes here


def test_a_span_without_candles_says_what_to_do(instrument: Instrument) -> None:
    _, printed = run(START - timedelta(days=400))

    assert "No candles are stored there" in printed


def test_missing_history_is_named_first_with_the_command_that_fetches_it(instrument: Instrument) -> None:
    Candle.objects.filter(timeframe="4h").delete()
    _, printed = run(END - SPAN)
    needed = END - SPAN - 500 * timedelta(hours=4)
    assert f"{instrument} 4h has no candles" in printed
    assert f"manage.py backfill {instrument} --timeframe 4h --from {needed:%Y-%m-%d}" in printed
    assert printed.index("backfill") < printed.index("Replay ")


def test_history_that_ends_too_early_or_has_holes_is_named(instrument: Instrument) -> None:
    def lacking() -> list[str]:
        found = lacking_history([instrument], start=END - SPAN, end=END, now=END)
        return [each.words for each in found if each.timeframe is not Timeframe.D1]

    assert lacking() == []
    Candle.objects.filter(timeframe="1h", open_time__gte=END - timedelta(hours=30)).delete()
    Candle.objects.filter(timeframe="4h", open_time__range=(END - 10 * SPAN, END - 5 * SPAN)).delete()
    hours, longer = lacking()
    assert (
        hours == f"{instrument} 1h ends at {END - timedelta(hours=30):%Y-%m-%d}, needed until {END:%Y-%m-%d}"
    )
    assert f"{instrument} 4h has 451 of 512 candles" in longer


def test_results_are_those_of_following_each_signal(instrument: Instrument) -> None:
    """Against a plain sum over `follow`, one signal at a time."""
    replayed, printed = run(END - 2 * SPAN)
    base = tail(SERIES, 600)
    results = []
    for signal in replayed.signals.all():
        opened = int(signal.published_at.timestamp() * 1000) - Timeframe.H1.milliseconds
        outcome = follow(
            base,
            rows=[int(np.searchsorted(base.open_time, opened))],
            directions=[1 if signal.direction == "long" else -1],
            entry_prices=[signal.entry_price],
            stop_losses=[signal.stop_loss],
            take_profits=[signal.take_profit],
            rates=instrument.cost_rates(),
        )
        if outcome.ended[0]:
            results.append(float(outcome.r_multiple[0]))
    assert results, "a span in which nothing ends would prove nothing"
    found = replay_results(replayed)
    assert found.ended == len(results)
    assert found.total_r == pytest.approx(sum(results))
    assert found.hit_rate == sum(r > 0 for r in results) / len(results)
    assert f"{sum(results):+.2f} R" in printed


def test_without_instruments_it_says_how_to_make_some() -> None:
    with pytest.raises(CommandError, match=r"There are no instruments: `manage\.py demo`"):
        call_command("replay", "--from", "2025-01-01", "--to", "2025-01-02")


def test_where_none_is_active_it_says_how_to_name_one(instrument: Instrument) -> None:
    Instrument.objects.update(is_active=False)
    with pytest.raises(CommandError, match=rf"No instrument is active.*--instruments {instrument.symbol}"):
        call_command("replay", "--from", "2025-01-01", "--to", "2025-01-02")


def test_an_unknown_instrument_is_named(instrument: Instrument) -> None:
    with pytest.raises(CommandError, match="Unknown instruments: XXX/YYY"):
        call_command("replay", "--from", "2025-01-01", "--to", "2025-01-02", "--instruments", "XXX/YYY")

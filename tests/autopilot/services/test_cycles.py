"""A cycle of an autopilot on real rows: one decision each, whatever happens, and nothing twice."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from autopilot.engine.cycle import Mode
from autopilot.models import Decision, Instance, Order
from autopilot.services import cycle_orders, cycles
from autopilot.services.cycle_run import run_due_cycles
from autopilot.services.cycles import record_failure, run_cycle
from autopilot.services.instances import pause_instance, resume_instance, stop_instance
from autopilot.services.lapsed import worth_again
from autopilot.services.order_request import OrderRequest
from autopilot.services.paper import fill_orders
from autopilot.services.record_keeping import forget_records
from autopilot.services.tidy import tidy_decisions
from signals.crash_points import EXIT_STATUS
from signals.engine.direction import Direction
from signals.engine.strategy import StrategyGroup
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Exchange
from signals.market.providers import ProviderError
from signals.models import Evaluation, Evidence, Signal
from tests.autopilot.market_rows import make_autopilot, market, store

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    forget_records()


def cycle(instance: Instance, moment: Any, **values: Any) -> Decision | None:
    return run_cycle(instance_id=instance.pk, as_of=moment, now=moment, **values)


@pytest.mark.slow
def test_a_cycle_publishes_orders_and_says_what_it_saw() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at)

    decision = cycle(instance, closed_at)

    assert decision is not None
    assert decision.outcome == "ordered"
    signal, order = Signal.objects.get(), Order.objects.get()
    assert (signal.source, signal.strategy, signal.timeframe) == ("autopilot", decision.strategy, "1h")
    assert (decision.signal, decision.order, order.signal) == (signal, order, signal)
    assert order.side == "buy"
    evaluation = Evaluation.objects.get()
    assert (evaluation.source, evaluation.outcome, evaluation.signal) == ("autopilot", "signal", signal)
    assert decision.regime
    assert decision.seen["conditions"]["adx"] > 0
    assert decision.ranking
    assert decision.risk["fraction"] <= instance.risk_fraction
    assert (decision.is_calibrated, decision.is_fallback) == (True, False)
    assert decision.score == pytest.approx(decision.group_confidence * decision.strategy_confidence)
    assert (signal.probability, signal.probability_n) == (decision.score, decision.score_n)
    assert signal.probability_low <= signal.probability <= signal.probability_high
    instance.refresh_from_db()
    assert instance.selected_strategy == decision.strategy
    assert instance.last_analysis_at == closed_at
    assert instance.next_run_at == closed_at + MINUTE


def test_one_cycle_per_slot_and_one_judgement_per_candle() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at)

    assert cycle(instance, closed_at) is not None
    assert cycle(instance, closed_at) is None
    Instance.objects.update(next_run_at=closed_at)  # a beat that lost its memory
    assert cycle(instance, closed_at) is None
    later = cycle(instance, closed_at + MINUTE)

    assert later is not None
    assert later.outcome == "unchanged"
    assert (Signal.objects.count(), Order.objects.count(), Evaluation.objects.count()) == (1, 1, 1)


def test_stopped_and_started_again_it_repeats_nothing() -> None:
    instrument, _, closed_at = market()
    first = make_autopilot(instrument, closed_at)
    cycle(first, closed_at)
    stop_instance(instrument=instrument, by="test", now=closed_at)
    assert cycle(first, closed_at + MINUTE) is None
    again = make_autopilot(instrument, closed_at + MINUTE, account=first.account)

    decision = cycle(again, closed_at + MINUTE)

    assert decision is not None
    assert decision.outcome == "unchanged"
    assert (Signal.objects.count(), Order.objects.count()) == (1, 1)


def test_below_the_threshold_nothing_is_published_and_the_evaluation_says_why() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at, min_confidence_threshold=0.75)

    decision = cycle(instance, closed_at)

    assert decision is not None
    assert (decision.outcome, decision.reason_code) == ("below_threshold", "below_threshold")
    assert decision.score is not None
    assert decision.score < 0.75
    assert not Signal.objects.exists()
    assert Evaluation.objects.get().reason == decision.reason


def test_a_stop_within_its_costs_is_refused() -> None:
    instrument, _, closed_at = market(taker_bps=500)
    instance = make_autopilot(instrument, closed_at, stop_costs=3.0)

    decision = cycle(instance, closed_at)

    assert decision is not None
    assert (decision.outcome, decision.reason_code) == ("refused", "stop_within_costs")
    assert not Signal.objects.exists()


def test_without_a_model_rules_go_on_and_the_decision_says_so() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at, mode=Mode.ML)

    decision = cycle(instance, closed_at)

    assert decision is not None
    assert decision.is_fallback
    assert "rules go on" in decision.reason
    assert decision.outcome == "ordered"  # on paper


def test_without_auto_execution_nothing_is_ordered() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at, auto_execute=False)

    decision = cycle(instance, closed_at)

    assert decision is not None
    assert decision.outcome == "signal"
    assert Signal.objects.count() == 1
    assert not Order.objects.exists()


def test_shorts_are_sold_where_it_can_be_and_not_proposed_on_spot() -> None:
    instrument, _, closed_at = market(-1)
    decision = cycle(make_autopilot(instrument, closed_at), closed_at)
    assert decision is not None
    assert decision.order is not None
    assert (decision.direction, decision.order.side) == ("short", "sell")

    spot, _, closed_at = market(-1, market_type="spot")
    decision = cycle(make_autopilot(spot, closed_at), closed_at)
    assert decision is not None
    assert decision.direction != "short"


def test_old_candles_skip_the_cycle_and_a_failed_fetch_is_a_fallback() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at)

    stale = cycle(instance, closed_at + timedelta(hours=3))
    assert stale is not None
    assert (stale.outcome, stale.reason_code) == ("skipped", "stale_data")
    cached = cycle(instance, closed_at + timedelta(hours=3) + MINUTE, data_error="503")
    assert cached is not None
    assert cached.is_fallback


def test_a_candle_found_a_period_late_is_judged_but_not_published() -> None:
    instrument, _, closed_at = market()
    decision = cycle(make_autopilot(instrument, closed_at), closed_at + timedelta(minutes=61))
    assert decision is not None
    assert (decision.outcome, decision.reason_code) == ("refused", "too_late")


def test_an_order_that_fails_freezes_the_instrument_and_watching_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instrument, rest, closed_at = market()
    instance = make_autopilot(instrument, closed_at)

    def broken(**values: Any) -> Order:
        raise ValueError("the book is gone")

    monkeypatch.setattr(cycle_orders, "act_on_decision", broken)
    decision = cycle(instance, closed_at)
    assert decision is not None
    assert (decision.outcome, decision.reason_code) == ("frozen", "order_failed")
    assert Signal.objects.count() == 1
    instance.refresh_from_db()
    assert "the book is gone" in instance.frozen_reason
    store(instrument, rest[:1])
    assert cycle(instance, closed_at + timedelta(hours=1)) is not None
    assert resume_instance(instance=instance, by="test", now=closed_at)


def test_pre_flight_refuses_with_its_reason_and_the_day_has_a_limit() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at)
    instance.account.is_open = False
    instance.account.save()
    decision = cycle(instance, closed_at)
    assert decision is not None
    assert (decision.outcome, decision.reason_code) == ("order_refused", "account_closed")

    other, _, closed_at = market()
    decision = cycle(make_autopilot(other, closed_at, max_trades_per_day=0), closed_at)
    assert decision is not None
    assert (decision.outcome, decision.reason_code) == ("order_refused", "trades_today")


def test_paused_it_does_nothing_and_the_mode_of_the_moment_decides() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at)
    pause_instance(instance=instance, by="test", now=closed_at)
    assert cycle(instance, closed_at) is None
    resume_instance(instance=instance, by="test", now=closed_at)
    Instance.objects.update(mode="hybrid")
    decision = cycle(instance, closed_at)
    assert decision is not None
    assert decision.mode == "hybrid"


def test_the_order_fills_at_the_next_bar_through_the_paper_broker() -> None:
    instrument, rest, closed_at = market()
    instance = make_autopilot(instrument, closed_at)
    cycle(instance, closed_at)
    store(instrument, rest[:4])

    moment = closed_at + timedelta(hours=4)
    assert fill_orders(instrument=instrument, timeframe=Timeframe.H1, as_of=moment, now=moment) >= 1
    order = Order.objects.filter(purpose="entry").get()
    assert order.state in {"filled", "lapsed"}


def test_a_cycle_that_comes_before_the_broker_replaces_nothing_that_its_candle_filled() -> None:
    instrument, rest, closed_at = market()
    instance = make_autopilot(instrument, closed_at)
    cycle(instance, closed_at)
    Order.objects.update(type="market", price=None, good_bars=-1)
    store(instrument, rest[:1])

    cycle(instance, closed_at + timedelta(hours=1))

    first = Order.objects.filter(purpose="entry").order_by("id")[0]
    assert first.state == "filled"
    assert first.fills.get().candle_open_time == closed_at


def test_a_limit_order_that_lapses_is_decided_again_to_market_once() -> None:
    instrument, rest, closed_at = market()
    instance = make_autopilot(instrument, closed_at)
    cycle(instance, closed_at)
    order = Order.objects.get()
    Order.objects.update(state="lapsed", ended_at=closed_at, remaining=0)
    close = float(rest.close[0])
    assert order.signal is not None
    found = worth_again(instance=instance, close=order.signal.entry_price, now=closed_at)
    assert found is not None
    assert (found[0], found[1].confidence) == (order, 1.0)
    beyond = order.signal.take_profit * 1.01
    assert worth_again(instance=instance, close=beyond, now=closed_at) is None
    assert worth_again(instance=instance, close=close, now=order.signal.expires_at) is None
    Order.objects.update(attempt=1)
    assert worth_again(instance=instance, close=order.signal.entry_price, now=closed_at) is None


def test_what_lapsed_is_ordered_by_the_cycle_that_has_nothing_new_to_say() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at)
    cycle(instance, closed_at)
    Order.objects.update(state="lapsed", ended_at=closed_at, remaining=0)
    price = Signal.objects.get().entry_price
    Candle.objects.create(
        instrument=instrument,
        timeframe="1h",
        open_time=closed_at,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=1,
    )
    Instance.objects.update(min_confidence_threshold=1.0)

    decision = cycle(instance, closed_at + timedelta(hours=1))

    assert decision is not None
    assert decision.outcome == "ordered"
    assert "decided again" in decision.reason
    again = Order.objects.order_by("-id")[0]
    assert (again.type, again.attempt) == ("market", 1)
    assert Evaluation.objects.order_by("-id")[0].outcome == "none"


def test_all_that_are_due_run_and_one_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument, _, closed_at = market()
    other, _, _ = market()
    for each in (instrument, other):
        make_autopilot(each, closed_at)
    monkeypatch.setattr("autopilot.services.cycle_run.exchange_time", lambda *, exchange_code: closed_at)
    real = cycles.look

    def broken(**values: Any) -> Any:
        if values["instrument"] == instrument:
            raise ValueError("a broken candle")
        return real(**values)

    monkeypatch.setattr(cycles, "look", broken)
    assert run_due_cycles(now=closed_at) == 1
    failed = Decision.objects.get(instance__instrument=instrument)
    assert (failed.outcome, "a broken candle" in failed.reason) == ("failed", True)
    assert run_due_cycles(now=closed_at) == 0


def test_without_the_exchanges_clock_stored_candles_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument, _, closed_at = market()
    make_autopilot(instrument, closed_at)

    def silent(*, exchange_code: str) -> None:
        raise ProviderError("no answer", permanent=False)

    monkeypatch.setattr("autopilot.services.cycle_run.exchange_time", silent)
    assert run_due_cycles(now=closed_at) == 1
    assert Decision.objects.get().is_fallback


def test_decisions_on_no_new_candle_are_kept_for_a_week() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at)
    cycle(instance, closed_at)
    cycle(instance, closed_at + MINUTE)
    record_failure(instance_id=instance.pk, error=ValueError("x"), now=closed_at + 2 * MINUTE)

    assert tidy_decisions(now=closed_at + timedelta(days=6)) == 0
    assert tidy_decisions(now=closed_at + timedelta(days=8)) == 1
    assert Decision.objects.count() == 2


DIES = """
import django; django.setup()
from datetime import datetime
from signals.crash_points import arm
from autopilot.services.cycles import run_cycle
arm("before_cycle_commit")
moment = datetime.fromisoformat("{moment}")
run_cycle(instance_id={pk}, as_of=moment, now=moment)
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_process_that_is_killed_in_a_cycle_doubles_nothing() -> None:
    instrument, _, closed_at = market()
    instance = make_autopilot(instrument, closed_at)
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}"
    died = subprocess.run(
        [sys.executable, "-c", DIES.format(moment=closed_at.isoformat(), pk=instance.pk)],
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "copilot_project.settings"},
        cwd=Path(__file__).resolve().parents[3],
        check=False,
        capture_output=True,
        timeout=240,  # it may have to compile
    )
    assert died.returncode == EXIT_STATUS, died.stderr.decode()
    assert not Decision.objects.exists()
    assert not Signal.objects.exists()

    assert cycle(instance, closed_at) is not None
    assert (Decision.objects.count(), Signal.objects.count(), Order.objects.count()) == (1, 1, 1)


def evidence_for_all(asset_class: str, standing: str, known_at: datetime) -> None:
    """The same standing for every kind that an autopilot may find."""
    for group, side in product(StrategyGroup, Direction):
        Evidence.objects.create(
            source="autopilot",
            group=group.value,
            side=side.value,
            plan="fixed",
            asset_class=asset_class,
            history_from=known_at - timedelta(days=900),
            n=200,
            weeks=90,
            shrunk_mean=0.5,
            shrunk_error=0.1,
            standing=standing,
            reason="",
            known_at=known_at,
            measured_at=known_at,
        )


@pytest.mark.parametrize(
    ("standing", "experimental", "is_proven"),
    [
        ("proven", False, True),
        ("promising", False, False),
        ("unproven", True, False),  # passes as an experiment, and is no more proven for that
    ],
)
def test_only_a_kind_that_the_gate_calls_proven_is_asked_for_as_proven(
    standing: str, experimental: bool, is_proven: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[OrderRequest] = []
    act = cycle_orders.act_on_decision

    def listening(**values: Any) -> Order | None:
        asked.append(values["request"])
        return act(**values)

    monkeypatch.setattr(cycle_orders, "act_on_decision", listening)
    exchange = Exchange.objects.create(code="kraken", name="Kraken", is_simulated=False)
    instrument, _, closed_at = market(exchange=exchange)
    evidence_for_all(instrument.asset_class, standing, closed_at - timedelta(days=1))
    decision = cycle(make_autopilot(instrument, closed_at, experimental=experimental), closed_at)

    assert decision is not None
    assert [request.is_proven for request in asked] == [is_proven], decision.reason


def test_what_a_simulated_market_lets_by_is_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[OrderRequest] = []
    monkeypatch.setattr(cycle_orders, "act_on_decision", lambda **values: asked.append(values["request"]))
    exchange = Exchange.objects.create(code="kraken", name="Kraken", is_simulated=True)
    instrument, _, closed_at = market(exchange=exchange)
    cycle(make_autopilot(instrument, closed_at), closed_at)
    assert [request.is_proven for request in asked] == [False]


def test_what_the_gate_abstains_from_trades_on_paper_marked_and_is_told_to_nobody() -> None:
    exchange = Exchange.objects.create(code="kraken", name="Kraken", is_simulated=False)
    instrument, _, closed_at = market(exchange=exchange)
    decision = cycle(make_autopilot(instrument, closed_at), closed_at)

    assert decision is not None
    assert (decision.outcome, decision.reason_code) == ("ordered", "abstained")
    assert "on paper only: the gate abstained" in decision.reason
    assert decision.evaluation is not None
    assert decision.evaluation.outcome == "abstained"
    assert decision.order is not None
    assert decision.order.signal is None
    assert not Signal.objects.exists()


def test_what_the_gate_abstains_from_stays_without_an_order_where_none_may_follow() -> None:
    exchange = Exchange.objects.create(code="kraken", name="Kraken", is_simulated=False)
    instrument, _, closed_at = market(exchange=exchange)
    decision = cycle(make_autopilot(instrument, closed_at, auto_execute=False), closed_at)

    assert decision is not None
    assert (decision.outcome, decision.reason_code) == ("refused", "abstained")
    assert not Order.objects.exists()

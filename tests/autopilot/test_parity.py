"""A month through services and the paper broker, and through the simulator: the same in everything.

Every order with its end, every fill, every trade and the equity at every close must agree; a constant that differs
on either side must be seen. `make parity` runs whole months and every changed constant; `make test` a part.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from autopilot.engine.market import Market, Opposite, Signals
from autopilot.models import Fill
from autopilot.services import paper
from signals.engine.fill.layout import IntArray
from signals.engine.fill.terms import (
    T_MAKER,
    T_OPTIMISTIC,
    T_SHARE,
    T_SLIPPAGE,
    T_TAKER,
    T_THROUGH,
)
from tests.autopilot.parity import (
    Case,
    Stored,
    differences,
    kinds,
    make_instruments,
    make_paper,
    markets_of,
    month,
    month_in_quarters,
    recorded_month,
    run_services,
    run_simulator,
)

WHOLE = bool(os.environ.get("WHOLE_MONTH"))
pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(5_400 if WHOLE else 900)]
ALL_KINDS = {
    "entry",
    "stop",
    "target",
    "trailing_stop",
    "signal",
    "gap",
    "time-out",
    "partial",
    "rejected",
    "time",
    "ambiguous",
}
# No fill of the part depends on them.
SEEN_IN_WHOLE = {"limits by trading through", "opposite"}
# What services and broker go by, changed in one place: by so little that only its own fills can tell.
TERMS = {
    "maker fee": (T_MAKER, 1),
    "taker fee": (T_TAKER, 1),
    "slippage": (T_SLIPPAGE, 25),
    "share of volume": (T_SHARE, 5_000),
    "limits by trading through": (T_THROUGH, 1),
    "target before stop": (T_OPTIMISTIC, 1),
}
Change = Callable[[Signals], Signals]
SIGNALS: dict[str, Change] = {
    "hold bars": lambda each: replace(each, hold_bars=each.hold_bars - 1),
    "bars of a limit": lambda each: replace(each, good_bars=2) if each.good_bars > 0 else each,
    "trailing distance": lambda each: each if each.trail is None else replace(each, trail=each.trail * 0.98),
    "stop": lambda each: replace(each, stop_loss=each.stop_loss * 0.9999),
    "opposite": lambda each: replace(each, opposite=Opposite.IGNORE),
}


def part(case: Case, bars: int) -> Case:
    """The first bars of it, with their signals."""

    def cut(each: Signals) -> Signals:
        names = ("direction", "stop_loss", "take_profit", "price", "exits", "trail")
        columns = {name: getattr(each, name) for name in names}
        return replace(each, **{name: col[:bars] for name, col in columns.items() if col is not None})

    return Case([each[:bars] for each in case.candles], [cut(each) for each in case.signals], case.grids)


def ran(case: Case, **values: Any) -> tuple[Stored, list[Market], Any]:
    """The case through services; what they left, and the same markets for the simulator."""
    account = make_paper(**values)
    instruments = make_instruments(case)
    run_services(case, account, instruments)
    return Stored.of(account), markets_of(case, account, instruments), account


def test_a_month_is_the_same_through_the_paper_broker_and_the_simulator() -> None:
    """And each constant that is changed on the simulator's side is seen: terms and signals, one at a time."""
    case = part(month(), 720 if WHOLE else 90)
    stored, markets, account = ran(case)
    assert differences(stored, run_simulator(markets, case.signals)) == []
    met = kinds(account)
    assert set(met) >= ALL_KINDS, met
    assert min(met[kind] for kind in ALL_KINDS) >= 1, met
    assert len(stored.fills) >= 100
    unseen = [name for name, changed in changed_simulations(markets, case).items() if not changed(stored)]
    assert set(unseen) <= (set() if WHOLE else SEEN_IN_WHOLE)


def changed_simulations(markets: list[Market], case: Case) -> dict[str, Callable[[Stored], list[str]]]:
    def rates(**values: Decimal) -> list[Market]:
        return [replace(each, rates=replace(each.rates, **values)) for each in markets]  # type: ignore[type-var]

    def rules(**values: Any) -> list[Market]:
        return [replace(each, rules=replace(each.rules, **values)) for each in markets]

    simulated = {
        "maker fee": lambda: run_simulator(rates(maker_bps=Decimal("8.01")), case.signals),
        "taker fee": lambda: run_simulator(rates(taker_bps=Decimal("10.01")), case.signals),
        "slippage": lambda: run_simulator(rates(slippage_bps=Decimal("2.25")), case.signals),
        "share of volume": lambda: run_simulator(rules(volume_share=Decimal("0.205")), case.signals),
        "limits by trading through": lambda: run_simulator(rules(trade_through=True), case.signals),
        "target before stop": lambda: run_simulator(markets, case.signals).optimistic,
    }
    for name, change in SIGNALS.items():
        other = [change(each) for each in case.signals]
        simulated[name] = lambda other=other: run_simulator(markets, other)  # type: ignore[misc]
    return {name: lambda stored, run=run: differences(stored, run()) for name, run in simulated.items()}  # type: ignore[misc]


# In `make test` the first alone, on fewer bars: each costs a run through services.
@pytest.mark.parametrize("name", [*TERMS] if WHOLE else ["taker fee"])
def test_a_constant_that_the_paper_broker_has_of_its_own_is_seen(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    column, more = TERMS[name]
    terms_of = paper.terms_of

    def other_terms(position: Any) -> IntArray:
        terms = terms_of(position)
        terms[column] += more
        return terms

    monkeypatch.setattr(paper, "terms_of", other_terms)
    case = part(month(), 20)
    if WHOLE:
        case = month() if name in SEEN_IN_WHOLE else part(month(), 110)
    stored, markets, _ = ran(case)
    assert differences(stored, run_simulator(markets, case.signals))


@pytest.mark.skipif(not WHOLE, reason="make parity")
@pytest.mark.parametrize("name", list(SIGNALS))
def test_a_constant_of_the_services_decisions_is_seen(name: str) -> None:
    case = month() if name in SEEN_IN_WHOLE else part(month(), 110)
    other = replace(case, signals=[SIGNALS[name](each) for each in case.signals])
    stored, markets, _ = ran(other)
    assert differences(stored, run_simulator(markets, case.signals))


def test_shorter_candles_decide_on_paper_as_in_the_simulator() -> None:
    """Bars whose quarters are stored take the path that those tell, not the worst."""
    case = month_in_quarters(bars=200 if WHOLE else 30)
    stored, markets, account = ran(case)
    assert differences(stored, run_simulator(markets, case.signals)) == []
    assert differences(stored, run_simulator([replace(each, finer=None) for each in markets], case.signals))
    within = Fill.objects.filter(position__account=account).exclude(candle_open_time__minute=0)
    assert within.exists()


RECORDED = {
    "forex with weekends": (
        "forex_ejtrader",
        ["XAUUSD", "GBPUSD", "AUDUSD"],
        datetime(2022, 1, 31, tzinfo=UTC),
        24,
        Decimal("0.2"),
        1.0,
        ALL_KINDS,
    ),
    # The market that never closes opens where it closed: no gap to be had.
    "crypto with a cascade": (
        "binance_spot_finom",
        ["BTCUSDT", "ETHUSDT", "SOLUSDT"],
        datetime(2025, 9, 25, tzinfo=UTC),
        7,
        Decimal("0.0001"),  # an account knows no smaller share
        0.2,
        ALL_KINDS - {"gap"},
    ),
}


@pytest.mark.parametrize("name", list(RECORDED))
def test_a_recorded_month_is_the_same(name: str, shared_data: Path) -> None:
    folder, names, start, seed, share, thin, expected = RECORDED[name]
    if not WHOLE:
        pytest.skip("make parity")
    case = recorded_month(shared_data, folder, names, start, seed, thin)
    stored, markets, account = ran(case, volume_share=share, now=start)
    assert differences(stored, run_simulator(markets, case.signals)) == []
    met = kinds(account)
    assert [kind for kind in sorted(expected) if met[kind] < 1] == [], met
    assert len(stored.fills) >= 100

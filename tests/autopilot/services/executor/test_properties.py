"""A life of orders against a lying exchange, chosen by Hypothesis; the invariants are checked after each step.

The exchange is the sandbox itself with its book. The executor is killed by dropping it: all it knew is gone.
ORDER_LIVES (default 1) says how many lives.
"""

import os
from collections import Counter
from decimal import Decimal
from itertools import count, pairwise
from typing import Any, ClassVar

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from autopilot.engine.live_order import FOLLOWERS, LiveState
from autopilot.engine.order import OrderType
from autopilot.models import Fill, LiveOrder, Order, Position
from autopilot.services.live.intents import DecisionError, decide_unknown
from autopilot.services.orders import close_position
from signals.models import KillSwitch
from signals.services import kill_switch
from tests.autopilot.services.executor.exchange import PRICE, FarEnd, Hands

pytestmark = pytest.mark.django_db
LIVES = int(os.environ.get("ORDER_LIVES", "1"))
_numbers = count(1)


class Life(RuleBasedStateMachine):
    """What may happen to an account; each rule is one step."""

    far: ClassVar[FarEnd]

    def __init__(self) -> None:
        super().__init__()
        key = f"life-{next(_numbers)}"
        self.far.forget_faults()
        self.far.price(PRICE)
        self.far.open_account(key=key, secret="life")
        self.hands = Hands(self.far, key=key, secret="life")
        self.keys = 0
        self._rearm()
        self.hands.ready()

    @rule(quantity=st.sampled_from(["0.01", "0.02"]))
    def market(self, quantity: str) -> None:
        self._enter(quantity=quantity, stop=Decimal(46_000))

    @rule(price=st.sampled_from(["50000", "45000"]))
    def limit(self, price: str) -> None:
        self._enter(quantity="0.01", order_type=OrderType.LIMIT, price=Decimal(price))

    @rule(kind=st.sampled_from(["502", "close", "500", "garbage"]))
    def fault(self, kind: str) -> None:
        self.far.fault(kind)

    @rule(price=st.sampled_from(["50000", "44000", "51000"]))
    def price(self, price: str) -> None:
        self.far.price(price)

    @rule(times=st.integers(1, 2))
    def turn(self, times: int) -> None:
        self.hands.turn(times)

    @rule()
    def leave(self) -> None:
        position = Position.objects.filter(account=self.hands.account).first()
        if position is not None:
            close_position(
                account=self.hands.account,
                instrument=self.hands.instrument,
                candle_open_time=position.clock,
                now=self.hands.now(),
                by="life",
            )

    @rule()
    def kill(self) -> None:
        self.hands.restart()
        self.hands.turn()
        if not self.hands.account.armings.in_force(self.hands.now()).exists():
            self.hands.arm()

    @rule(lies=st.fixed_dictionaries({"split_fills": st.integers(1, 3), "duplicate_fills": st.booleans()}))
    def lie(self, lies: dict[str, Any]) -> None:
        self.far.lie(**lies)

    @rule()
    def halt(self) -> None:
        kill_switch.engage(reason="life", by="ada", now=timezone.now())

    @rule()
    def rearm(self) -> None:
        self._rearm()

    @rule()
    def person(self) -> None:
        self._person()

    @invariant()
    def nothing_is_doubled_and_all_is_ours(self) -> None:
        orders = self._book()["orders"]
        ids = Counter(each["client_id"] for each in orders)
        assert max(ids.values(), default=0) <= 1, "one intent, at most one order"
        mine = Order.objects.filter(account=self.hands.account)
        assert ids.keys() <= set(mine.values_list("client_order_id", flat=True)), (
            "every order there has a row"
        )

    @invariant()
    def states_follow_each_other_and_time_ends_nothing(self) -> None:
        for live in LiveOrder.objects.filter(account=self.hands.account).prefetch_related("events"):
            states = [LiveState(event.state) for event in live.events.all()]
            assert all(after in FOLLOWERS[before] for before, after in pairwise(states))
            assert live.state != "decided" or live.decided_by

    @invariant()
    def a_position_is_the_sum_of_its_fills(self) -> None:
        for position in Position.objects.filter(account=self.hands.account):
            fills = Fill.objects.filter(position=position)
            total = sum((f.quantity if f.side == "buy" else -f.quantity for f in fills), Decimal(0))
            assert position.quantity == total

    def teardown(self) -> None:
        """Without faults the exchange's book and ours come to agree, and nothing stays unknown."""
        self.far.forget_faults()
        self._rearm()
        self.hands.turn(4)
        self._person()
        self.hands.turn(2)
        mine = LiveOrder.objects.filter(account=self.hands.account)
        assert not mine.unsure().exists()
        owned = Decimal(self._book()["balances"][self.hands.key].get("BTC", "0"))
        held = Position.objects.filter(account=self.hands.account)
        assert sum((each.quantity for each in held), Decimal(0)) == owned, "position = venue"
        # Its executor and those of later lives would work on it as well.
        type(self.hands.account).objects.filter(pk=self.hands.account.pk).update(kind="paper")

    def _enter(self, **values: Any) -> None:
        self.keys += 1
        halted = not KillSwitch.objects.get().is_armed
        order = self.hands.order(key=str(self.keys), **values)
        assert not (halted and order.is_open), "no new exposure while halted"

    def _person(self) -> None:
        self.hands.turn()
        self.hands.wait(700)
        self.hands.turn()
        for live in LiveOrder.objects.filter(account=self.hands.account, state="unknown"):
            there = {each["client_id"] for each in self._book()["orders"]}
            try:
                decide_unknown(live_id=live.pk, note="looked", by="ada", now=self.hands.now())
            except DecisionError:
                continue
            assert live.order.client_order_id not in there, "ended although the exchange has it"

    def _rearm(self) -> None:
        if not KillSwitch.objects.get().is_armed:
            code = kill_switch.request_rearm(reason="life", by="ada", now=timezone.now())
            kill_switch.confirm_rearm(code=code, by="bob", now=timezone.now())

    def _book(self) -> Any:
        return self.far.book(self.hands.key)


def test_no_life_of_orders_breaks_an_invariant(far: FarEnd) -> None:
    Life.far = far
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=12,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )

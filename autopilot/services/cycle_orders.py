"""The orders of a cycle, and the words in which its Decision tells what came of each step."""

from datetime import datetime
from typing import Any

import structlog
from django.db import DataError, IntegrityError, transaction

from autopilot.engine.analysis import Analysis
from autopilot.engine.choosing import Chosen
from autopilot.engine.cycle import DecisionOutcome, Mode
from autopilot.engine.order import OrderState
from autopilot.models import Decision, Order
from autopilot.selectors import trades_begun_today
from autopilot.services.acting import act_on_decision
from autopilot.services.instances import freeze
from autopilot.services.lapsed import worth_again
from autopilot.services.paper import fill_orders
from autopilot.services.sizing import order_request
from signals.engine.strategy import StrategySignal
from signals.engine.timeframe import Timeframe
from signals.models import Signal

logger = structlog.get_logger(__name__)

WHO = "autopilot"
ORDER_FAILS_WITH = (ValueError, ArithmeticError, LookupError, DataError, IntegrityError)


class CycleOrders:
    """A cycle's Decision while it is made, and the steps that end in an order."""

    def __init__(
        self, instance: Any, slot: datetime, as_of: datetime, now: datetime, data_error: str
    ) -> None:
        self.instance, self.as_of, self.now = instance, as_of, now
        self.newest_entry = instance.newest_entry
        self.timeframe, self.mode = Timeframe(instance.timeframe), Mode(instance.mode)
        self.decision = Decision(
            instance=instance,
            slot=slot,
            decided_at=now,
            as_of=as_of,
            mode=instance.mode,
            threshold=instance.min_confidence_threshold,
        )
        if data_error:
            self._fall_back(f"candles could not be fetched, stored ones are used: {data_error}")

    def _fill_what_was_due(self) -> None:
        """The judged candle fills what waited for it first: no new decision may replace an order that it filled."""
        instance = self.instance
        if instance.account.is_live or not instance.awaits_candle:
            return
        if fill_orders(
            instrument=instance.instrument, timeframe=self.timeframe, as_of=self.as_of, now=self.now
        ):
            entries = Order.objects.entries().filter(account=instance.account, instrument=instance.instrument)
            self.newest_entry = entries.order_by("-id").values_list("state", flat=True).first()

    def _on_paper(
        self, signal: StrategySignal, chosen: Chosen, analysis: Analysis, opened_at: datetime
    ) -> Decision:
        """What the gate abstained from is told to nobody; paper accounts trade it all the same, marked."""
        if self.instance.account.is_live:
            return self.decision
        decision = self._execute(signal, None, chosen, analysis, opened_at, is_proven=False)
        if decision.outcome == DecisionOutcome.ORDERED:
            decision.reason_code = "abstained"
            decision.reason += " (on paper only: the gate abstained)"
        return decision

    def _execute(
        self,
        signal: StrategySignal,
        published: Signal | None,
        chosen: Chosen,
        analysis: Analysis,
        opened_at: datetime,
        *,
        is_proven: bool,
    ) -> Decision:
        instance, decision = self.instance, self.decision
        if not instance.auto_execute:
            return decision
        if instance.frozen_reason:
            return self._add(DecisionOutcome.FROZEN, f"no order: frozen, {instance.frozen_reason}", "frozen")
        begun = trades_begun_today(instance.account, self.now, instance.instrument)
        if begun >= instance.max_trades_per_day:
            why = f"no order: {begun} trades were begun today, {instance.max_trades_per_day} are allowed"
            return self._add(DecisionOutcome.ORDER_REFUSED, why, "trades_today")
        order = self._order(
            signal,
            opened_at,
            published,
            deviation=analysis.deviation,
            is_fallback=decision.is_fallback,
            is_calibrated=chosen.is_calibrated,
            is_proven=is_proven,
        )
        if order is None and decision.outcome != DecisionOutcome.FROZEN:
            held = "no order: what is held agrees with it, or was ended by it"
            if published is None:
                return self._add(DecisionOutcome.REFUSED, held, "abstained")
            return self._add(DecisionOutcome.SIGNAL, held, "held")
        return self._ordered(order)

    def _again(self, close: float, analysis: Analysis, opened_at: datetime) -> None:
        """A limit order that lapsed is decided again where nothing new is said: to market, if it is still worth it."""
        instance = self.instance
        if not instance.auto_execute or instance.frozen_reason or self.newest_entry != OrderState.LAPSED:
            return
        found = worth_again(instance=instance, close=close, now=self.now)
        if found is None:
            return
        lapsed, signal = found
        order = self._order(
            signal,
            opened_at,
            lapsed.signal,
            deviation=analysis.deviation,
            is_fallback=self.decision.is_fallback,
            is_calibrated=False,
            attempt=lapsed.attempt + 1,
        )
        if order is not None:
            self.decision.reason += "; the limit order before lapsed and is decided again"
            self._ordered(order)

    def _order(
        self, signal: StrategySignal, opened_at: datetime, published: Signal | None, **how: Any
    ) -> Order | None:
        """Placed or refused; None where none was wanted, or it failed and the autopilot is frozen."""
        instance = self.instance
        try:
            with transaction.atomic():
                request, self.decision.risk = order_request(instance=instance, signal=signal, **how)
                return act_on_decision(
                    account=instance.account,
                    instrument=instance.instrument,
                    timeframe=self.timeframe,
                    candle_open_time=opened_at,
                    request=request,
                    as_of=self.as_of,
                    now=self.now,
                    by=WHO,
                    signal=published,
                )
        except ORDER_FAILS_WITH as error:
            logger.exception("order failed, the autopilot is frozen", autopilot=str(instance))
            why = f"{type(error).__name__}: {error}"[:500]
            freeze(instance=instance, reason=why, by=WHO, now=self.now)
            self._add(DecisionOutcome.FROZEN, f"the order failed, frozen: {why}", "order_failed")
            return None

    def _ordered(self, order: Order | None) -> Decision:
        decision = self.decision
        if order is None:
            return decision
        decision.order = order
        if order.state == OrderState.REFUSED:
            refused = f"order refused: {order.reason.rstrip('.')}"
            return self._add(DecisionOutcome.ORDER_REFUSED, refused, order.reason_code)
        kind = f"{order.side} {order.quantity.normalize():f}, {order.type}"
        return self._add(DecisionOutcome.ORDERED, f"ordered: {kind}", "")

    def _fall_back(self, why: str) -> None:
        self.decision.is_fallback = True
        self.decision.fallbacks = [*self.decision.fallbacks, why]

    def _end(self, outcome: DecisionOutcome, reason: str, code: str = "") -> Decision:
        decision = self.decision
        decision.outcome, decision.reason, decision.reason_code = outcome.value, reason, code
        if decision.fallbacks:
            decision.reason += f" ({'; '.join(decision.fallbacks)})"
        return decision

    def _add(self, outcome: DecisionOutcome, reason: str, code: str) -> Decision:
        decision = self.decision
        decision.outcome, decision.reason_code = outcome.value, code
        decision.reason = f"{decision.reason}; {reason}"
        return decision

"""One cycle of an autopilot: look, choose, propose, publish, order. One transaction, one Decision row, always.

A worker that dies in the middle leaves nothing behind; the next tick does the same cycle again. Two that come to the
same cycle find the row locked or the slot taken. Publication and order have names made of the candle, so that even an
autopilot that is stopped and started anew repeats neither.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery

from autopilot.engine.analysis import Analysis, analyse
from autopilot.engine.choosing import Chosen, choose, ranking
from autopilot.engine.cycle import DecisionOutcome, InstanceState, Mode, slot_of
from autopilot.engine.groups import in_words
from autopilot.models import Decision, Instance, Order, Position
from autopilot.services.champion import LoadedChampion, loaded_champion
from autopilot.services.cycle_orders import CycleOrders
from autopilot.services.looking import Seen, context_at, look, objection
from autopilot.services.record_keeping import instrument_record, recent_records
from signals.crash_points import CrashPoint, reach
from signals.engine.costs import MarketType
from signals.engine.decided import Outcome
from signals.engine.hybrid import DEFAULTS
from signals.engine.session import AssetClass
from signals.engine.strategy import DecisionContext, StrategySignal, WindowError
from signals.engine.trend import TIMEFRAME as TREND_TIMEFRAME
from signals.models import Evaluation, Signal, SignalSource
from signals.services.candle_key import CandleKey
from signals.services.gate import Passage, pass_gate
from signals.services.publishing import Probability, publish
from signals.services.shadows import keep_shadow


def run_cycle(*, instance_id: int, as_of: datetime, now: datetime, data_error: str = "") -> Decision | None:
    """The decision of the slot that `now` falls into; None where it stands already, or the autopilot is not due.

    data_error: why the candles could not be fetched anew; what is stored is used, and the decision says so.
    """
    with transaction.atomic():
        instance = _locked(instance_id, now)
        if instance is None:
            return None
        slot = slot_of(now, instance.interval_seconds)
        instance.next_run_at = slot + timedelta(seconds=instance.interval_seconds)
        is_newer = instance.newest_slot is None or instance.newest_slot < slot
        if not is_newer and Decision.objects.filter(instance=instance, slot=slot).exists():
            instance.save(update_fields=["next_run_at"])
            return None
        cycle = _Cycle(instance, slot, as_of, now, data_error)
        decision = cycle.run()
        decision.save(force_insert=True)
        instance.last_analysis_at = now
        instance.save(
            update_fields=[
                "next_run_at",
                "last_analysis_at",
                "last_candle_at",
                "selected_strategy",
                "score",
            ]
        )
        reach(CrashPoint.BEFORE_CYCLE_COMMIT)
    return decision


def _locked(instance_id: int, now: datetime) -> Any:
    """The autopilot if it is due and nobody else has it, with what else a cycle asks: one query for all of it."""
    decided = Decision.objects.filter(instance=OuterRef("pk"), slot__lte=now).order_by("-slot").values("slot")
    newest = Order.objects.entries().filter(account=OuterRef("account"), instrument=OuterRef("instrument"))
    alive = Position.objects.alive().filter(
        account=OuterRef("account"), instrument=OuterRef("instrument"), timeframe=OuterRef("timeframe")
    )
    due = Instance.objects.select_related("instrument__exchange", "account").filter(
        pk=instance_id, state=InstanceState.RUNNING.value, next_run_at__lte=now
    )
    known = due.annotate(
        newest_slot=Subquery(decided[:1]),
        newest_entry=Subquery(newest.order_by("-id").values("state")[:1]),
        awaits_candle=Exists(alive),
    )
    return known.select_for_update(skip_locked=True, of=("self",)).first()


def record_failure(*, instance_id: int, error: Exception, now: datetime) -> Decision | None:
    """A cycle whose transaction ended by an error leaves a Decision as well; the next slot tries again."""
    with transaction.atomic():
        running = Instance.objects.filter(pk=instance_id, state=InstanceState.RUNNING.value)
        instance = running.select_for_update(skip_locked=True).first()
        if instance is None:
            return None
        slot = slot_of(now, instance.interval_seconds)
        instance.next_run_at = slot + timedelta(seconds=instance.interval_seconds)
        instance.save(update_fields=["next_run_at"])
        decision, _ = Decision.objects.get_or_create(
            instance=instance,
            slot=slot,
            defaults={
                "decided_at": now,
                "mode": instance.mode,
                "threshold": instance.min_confidence_threshold,
                "outcome": DecisionOutcome.FAILED.value,
                "reason": f"{type(error).__name__}: {error}"[:500],
                "reason_code": "failed",
            },
        )
    return decision


class _Cycle(CycleOrders):
    """The steps of one cycle; each returns the decision as soon as nothing follows."""

    def run(self) -> Decision:
        seen = look(instrument=self.instance.instrument, timeframe=self.timeframe, as_of=self.as_of)
        self.decision.candle_open_time = seen.candle_open_time
        if seen.candle_open_time is None or seen.closed_at is None or seen.too_old:
            return self._end(DecisionOutcome.SKIPPED, seen.too_old, "stale_data")
        if self.instance.last_candle_at == seen.candle_open_time:
            opened = f"{seen.candle_open_time:%Y-%m-%d %H:%M}Z"
            return self._end(DecisionOutcome.UNCHANGED, f"no candle has closed since that of {opened}")
        self.instance.last_candle_at = seen.candle_open_time
        self._fill_what_was_due()
        return self._judge(seen, seen.candle_open_time, seen.closed_at)

    def _judge(self, seen: Seen, opened_at: datetime, closed_at: datetime) -> Decision:
        instrument = self.instance.instrument
        context = context_at(instrument=instrument, timeframe=self.timeframe, closed_at=closed_at)
        key = CandleKey(instrument, opened_at, self.timeframe, SignalSource.AUTOPILOT)
        standing = Evaluation.objects.filter(**key.columns()).first()
        if standing:
            self.decision.evaluation = standing
            return self._end(DecisionOutcome.UNCHANGED, "an autopilot has judged this candle before")
        can_short = instrument.market_type != MarketType.SPOT
        try:
            analysis = analyse(
                seen.window,
                context,
                can_short=can_short,
                with_trend_rule=self.timeframe is TREND_TIMEFRAME
                and instrument.asset_class == AssetClass.CRYPTO,
            )
        except (WindowError, ValueError) as error:
            self._end(DecisionOutcome.SKIPPED, str(error), "window")
            return self._evaluated(key, Outcome.REFUSED)
        chosen = self._choose(analysis, closed_at)
        signal = self._proposed(analysis, chosen, context, is_late=seen.is_late)
        if signal is None:
            refused = self.decision.outcome == DecisionOutcome.REFUSED
            self._evaluated(key, Outcome.REFUSED if refused else Outcome.NONE)
            self._again(float(seen.window.close[-1]), analysis, opened_at)
            return self.decision
        passage = pass_gate(
            instrument=instrument,
            signal=signal,
            source=SignalSource.AUTOPILOT,
            as_of=closed_at,
            experimental=self.instance.experimental,
        )
        if not passage.publishes:
            self._end(DecisionOutcome.REFUSED, f"{passage.evidence}; {self.decision.reason}", "abstained")
            ended = self._evaluated(key, Outcome.ABSTAINED)
            if ended.evaluation is not None:
                keep_shadow(evaluation=ended.evaluation, signal=signal)
            return self._on_paper(signal, chosen, analysis, opened_at)
        published = self._publish(key, signal, chosen, passage)
        self._evaluated(key, Outcome.SIGNAL)
        return self._execute(signal, published, chosen, analysis, opened_at, is_proven=passage.is_proven)

    def _choose(self, analysis: Analysis, closed_at: datetime) -> Chosen:
        instance, decision = self.instance, self.decision
        champion = self._champion(closed_at)
        past = instrument_record(instrument=instance.instrument, timeframe=self.timeframe, as_of=closed_at)
        recent = recent_records(as_of=closed_at)
        chosen = choose(
            self.mode,
            analysis,
            model=champion.model,
            why_no_model=champion.why,
            records=past.records,
            recent=recent,
            confidence=past.confidence,
        )
        for each in chosen.fallbacks:
            self._fall_back(each)
        choice = chosen.choice
        decision.regime = analysis.regime or ""
        decision.seen = {"conditions": analysis.conditions, "unable": list(analysis.unable)}
        decision.ranking = ranking(choice, analysis, past.records + recent)
        decision.group, decision.strategy = choice.group.value, choice.strategy or ""
        decision.group_confidence = choice.group_confidence
        decision.strategy_confidence = choice.strategy_confidence
        decision.score, decision.score_n = choice.probability, choice.probability_n
        decision.score_low, decision.score_high = choice.probability_low, choice.probability_high
        decision.is_calibrated = chosen.is_calibrated
        decision.reasons = [
            {"feature": each.feature, "value": each.value, "effect": each.effect} for each in choice.reasons
        ]
        if champion.model is not None and not choice.by_rules:
            decision.model = champion.row
        instance.selected_strategy, instance.score = choice.strategy or "", choice.probability
        return chosen

    def _champion(self, closed_at: datetime) -> LoadedChampion:
        """Who decides; a model of another timeframe's candles is none for this one."""
        if self.mode is Mode.PATTERN:
            return LoadedChampion(None, None, "")
        champion = loaded_champion(as_of=closed_at)
        if champion.model is not None and champion.model.timeframe not in {"", self.timeframe.value}:
            why = f"the model was trained on {champion.model.timeframe} candles: rules go on"
            return LoadedChampion(None, None, why)
        return champion

    def _proposed(
        self, analysis: Analysis, chosen: Chosen, context: DecisionContext, *, is_late: bool
    ) -> StrategySignal | None:
        """The signal to publish; None where there is none, and the decision says why."""
        instance, choice = self.instance, chosen.choice
        signal = analysis.signal(choice.strategy) if choice.strategy else None
        if signal is None:
            self._end(DecisionOutcome.SILENT, choice.why)
            return None
        self.decision.direction, self.decision.strength = signal.direction.value, signal.confidence
        name = in_words(choice.strategy or "")
        told = "not known: uncalibrated" if chosen.score is None else f"{chosen.score:.3f}"
        if (chosen.score or 0.0) < instance.min_confidence_threshold:
            self._end(
                DecisionOutcome.BELOW_THRESHOLD,
                f"{name} says {signal.direction}; its probability of profit is {told}, "
                f"below {instance.min_confidence_threshold:g}",
                "below_threshold",
            )
            return None
        against = objection(
            signal=signal,
            context=context,
            instrument=instance.instrument,
            stop_costs=instance.stop_costs,
            stop_ticks=DEFAULTS.stop_ticks,
        )
        if is_late:
            against = ("too_late", "its candle was found too late to be published")
        if against:
            self._end(
                DecisionOutcome.REFUSED,
                f"{name} says {signal.direction}; {against[1]}",
                against[0],
            )
            return None
        who = "the trend rule" if signal is analysis.ruled else name
        self._end(
            DecisionOutcome.SIGNAL,
            f"{who} says {signal.direction} ({choice.why}); probability of profit {told}",
        )
        return signal

    def _publish(self, key: CandleKey, signal: StrategySignal, chosen: Chosen, passage: Passage) -> Signal:
        choice, probability = chosen.choice, None
        known = (choice.probability, choice.probability_n, choice.probability_low, choice.probability_high)
        if chosen.is_calibrated and None not in known:
            probability = Probability(*known)  # type: ignore[arg-type]
        published = publish(
            decision=signal,
            experimental=self.instance.experimental,
            probability=probability,
            standing=passage.standing.value,
            evidence=passage.evidence,
            **key.columns(),
        )
        self.decision.signal = published
        return published

    def _evaluated(self, key: CandleKey, outcome: Outcome) -> Decision:
        decision = self.decision
        decision.evaluation = Evaluation.objects.create(
            **key.columns(),
            outcome=outcome.value,
            reason=decision.reason,
            score=decision.score,
            signal=decision.signal,
            as_of=self.as_of,
            evaluated_at=self.now,
            features={
                "regime": decision.regime,
                "group": decision.group,
                "strategy": decision.strategy,
                **decision.seen.get("conditions", {}),
            },
        )
        return decision

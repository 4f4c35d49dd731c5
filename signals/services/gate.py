"""The gate: whether a decision may be published, by what stored evidence says of its kind."""

from dataclasses import dataclass
from datetime import datetime

from signals.engine.evidence import SignalKind, Standing, Verdict, cost_in_r, verdict
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import StrategySignal
from signals.market.models import Instrument
from signals.models import USABLE_FOR, Evidence, SignalSource


@dataclass(frozen=True, slots=True)
class Passage:
    """publishes: whether subscribers get it. evidence: what its message says of it, standing: in one word."""

    publishes: bool
    standing: Standing
    evidence: str
    verdict: Verdict

    @property
    def is_proven(self) -> bool:
        """Whether real money may follow: the gate's own word, not what an experiment or a simulated market lets by."""
        return self.verdict.publishes and self.verdict.standing is Standing.PROVEN


def kind_of(*, signal: StrategySignal, source: str, asset_class: str) -> SignalKind:
    strategy = STRATEGIES.get(signal.strategy)
    return SignalKind(
        source=source,
        group=strategy.group.value if strategy else signal.strategy,
        side=signal.direction.value,
        plan=signal.exit_plan.kind,
        asset_class=asset_class,
    )


def judge_by_evidence(
    *, instrument: Instrument, signal: StrategySignal, source: SignalSource, as_of: datetime
) -> Verdict:
    """What the gate says at `as_of` from rows that were known by then; rows older than USABLE_FOR say nothing."""
    kind = kind_of(signal=signal, source=source.value, asset_class=instrument.asset_class)
    known = newest_evidence(kind=kind, as_of=as_of)
    if known is None or as_of - known.known_at > USABLE_FOR:
        seen = f"the newest evidence is of {known.known_at:%Y-%m-%d}" if known else "no evidence was measured"
        return Verdict(False, Standing.TOO_FEW, f"abstained: {seen} for {kind}")
    cost = cost_in_r(
        round_trip_cost=instrument.cost_rates().round_trip,
        entry_price=signal.entry_price,
        stop_loss=signal.stop_loss,
    )
    return verdict(Standing(known.standing), known.measured, cost_r=cost)


def pass_gate(
    *,
    instrument: Instrument,
    signal: StrategySignal,
    source: SignalSource,
    as_of: datetime,
    experimental: bool = False,
) -> Passage:
    """Below the threshold pass experimental signals, and those of a simulated market; both say what the gate said."""
    said = judge_by_evidence(instrument=instrument, signal=signal, source=source, as_of=as_of)
    if said.publishes:
        return Passage(True, said.standing, said.reason, said)
    if instrument.exchange.is_simulated:
        told = f"none, a simulated market. On a real one the gate would have {said.reason}"
        return Passage(True, said.standing, told, said)
    if experimental:
        return Passage(True, said.standing, f"experimental; otherwise {said.reason}", said)
    return Passage(False, said.standing, said.reason, said)


def newest_evidence(*, kind: SignalKind, as_of: datetime) -> Evidence | None:
    rows = Evidence.objects.filter(
        source=kind.source,
        group=kind.group,
        side=kind.side,
        plan=kind.plan.value,
        asset_class=kind.asset_class,
    )
    found: Evidence | None = rows.known_at(as_of).order_by("-known_at").first()
    return found

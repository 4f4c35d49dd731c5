"""Kinds of signals that may be published while promising, registered before their outcomes were looked at.

The list is short on purpose: each entry more is one more chance that luck passes for skill.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from signals.engine.evidence import SignalKind
from signals.engine.exit_plan import PlanKind


@dataclass(frozen=True, slots=True)
class Candidate:
    """name, settings in words, the day on which they were frozen, and the published reason to expect anything."""

    name: str
    kind: SignalKind
    settings: str
    registered_on: datetime
    reason: str


TREND_KIND = SignalKind(
    source="hybrid", group="momentum", side="long", plan=PlanKind.MANAGED, asset_class="crypto"
)

CANDIDATES: tuple[Candidate, ...] = (
    Candidate(
        name="trend rule",
        kind=TREND_KIND,
        settings="highest 4h close of 120; stop 4 x ATR(14) behind the highest close; 120 bars at most; no target",
        registered_on=datetime(2026, 11, 28, tzinfo=UTC),
        reason=(
            "time-series momentum: Moskowitz, Ooi & Pedersen (2012), Journal of Financial Economics 104; "
            'Donchian channels on crypto: Zarattini, Pagani & Barbon (2025), "Catching Crypto Trends"'
        ),
    ),
)


def candidate_of(kind: SignalKind) -> Candidate | None:
    return next((each for each in CANDIDATES if each.kind == kind), None)

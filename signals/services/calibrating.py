"""From a confidence to a probability of profit, by what came of earlier decisions of its sort; or why not."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signals.engine.calibration import FEWEST_OUTCOMES, fit_calibration
from signals.engine.exit_plan import PlanKind
from signals.engine.wilson import wilson
from signals.models import ShadowOutcome, SignalOutcome
from signals.services.publishing import Probability

NEWEST = 2_000


@dataclass(frozen=True, slots=True)
class Calibrated:
    """`probability` is None where the confidence is uncalibrated; `why` then says so."""

    probability: Probability | None
    why: str


def calibrate(
    *, source: str, timeframe: str, plan: PlanKind, confidence: float, as_of: datetime
) -> Calibrated:
    """Fitted on outcomes that were recorded by `as_of` alone, published ones and shadows, the newest NEWEST of each."""
    known = _outcomes(source, timeframe, plan, as_of)
    if len(known) < FEWEST_OUTCOMES:
        return Calibrated(None, f"uncalibrated: {len(known)} outcomes, {FEWEST_OUTCOMES} are asked for")
    scores, won = [score for _, score, _ in known], [float(r > 0) for *_, r in known]
    fitted = fit_calibration(scores, won)
    if not fitted.is_informative:
        return Calibrated(
            None, f"uncalibrated: on {fitted.n} outcomes the score told no more than the base rate"
        )
    told = float(fitted.probability([confidence])[0])
    low, high = wilson(told, fitted.n)
    why = f"calibrated ({fitted.method}) on {fitted.n} outcomes, Brier {fitted.brier:.3f} of {fitted.base_brier:.3f}"
    return Calibrated(Probability(told, fitted.n, low, high), why)


def _outcomes(
    source: str, timeframe: str, plan: PlanKind, as_of: datetime
) -> list[tuple[datetime, float, float]]:
    """(decided, confidence, R), oldest first."""
    signals: dict[str, Any] = {"signal__source": source, "signal__timeframe": timeframe}
    if plan is PlanKind.MANAGED:
        signals["signal__plan__kind"] = plan.value
    published = SignalOutcome.objects.filter(**signals, recorded_at__lte=as_of).order_by("-exited_at")
    shadows = ShadowOutcome.objects.filter(
        source=source, timeframe=timeframe, plan__kind=plan.value, recorded_at__lte=as_of
    ).order_by("-exited_at")
    rows = [
        *published.values_list("signal__candle_open_time", "signal__confidence", "r_multiple")[:NEWEST],
        *shadows.values_list("candle_open_time", "confidence", "r_multiple")[:NEWEST],
    ]
    return sorted((decided, confidence, r) for decided, confidence, r in rows if r is not None)

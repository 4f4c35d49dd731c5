"""An exit plan in words and figures, as subscribers, pages and the ledger's readers are told it."""

from signals.engine.direction import Direction
from signals.engine.exit_plan import ExitPlan
from signals.engine.horizon import HORIZON_BARS
from signals.engine.timeframe import Timeframe


def exit_words(plan: ExitPlan, timeframe: str, direction: str, entry_price: float) -> str:
    """Stop 3.4 % below; it follows the highest 4h close at 4 average ranges; out after 20 days at the latest."""
    side = "below" if direction == Direction.LONG else "above"
    stop = f"stop {abs(plan.stop / entry_price - 1) * 100:.1f} % {side}"
    if plan.trail_atr is None:
        target = f"target {abs((plan.target or entry_price) / entry_price - 1) * 100:.1f} % away"
        return f"{stop}; {target}; {_last_words(plan, timeframe)}"
    return f"{stop}; {onward_words(plan, timeframe, direction)}"


def onward_words(plan: ExitPlan, timeframe: str, direction: str) -> str:
    """What a managed plan does once its first stop is left behind; ValueError for a fixed one."""
    if plan.trail_atr is None:
        raise ValueError("a fixed plan's stop stays where it is")
    best = "highest" if direction == Direction.LONG else "lowest"
    follows = f"it follows the {best} {timeframe} close at {plan.trail_atr:g} average ranges"
    return f"{follows}; {_last_words(plan, timeframe)}"


def _last_words(plan: ExitPlan, timeframe: str) -> str:
    return f"out after {hold_words(plan, timeframe)} at the latest"


def hold_words(plan: ExitPlan, timeframe: str) -> str:
    """20 days, 24 hours."""
    hours = (plan.longest_hold_bars or HORIZON_BARS) * Timeframe(timeframe).seconds / 3_600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"

"""What each reason is worth as a veto: a section of the trend rule's part of `docs/strategies.md`."""

from collections.abc import Iterator, Sequence
from math import isfinite

from research.services.reasons_study import FEWEST_FITTED, LEVEL, Worth
from signals.engine.evidence import FEWEST_OUTCOMES, HISTORY_FROM, Measured
from signals.engine.trend_reasons import RL, SENTIMENT, VETOES

UNHEARD = {
    SENTIMENT: "files of candles hold no readings",
    RL: "no policy was in use in those years",
}


def render_reasons(worths: Sequence[Worth]) -> Iterator[str]:
    if not worths:
        return
    day = f"{HISTORY_FROM:%Y}"
    yield "### What each reason would be worth as a veto\n"
    yield (
        "The votes of the fourteen strategies (over 1h, 4h and 1d, weighted 20/30/50 %; a length that the folder "
        "lacks, or that is too short to judge, adds nothing), the timeframes' scores, their blend, the 4h regime, and "
        "`ml`, a ridge regression of R on all of these, fitted anew each year on trades that had ended, from "
        f"{FEWEST_FITTED} on. Each is asked as a veto against the frozen rule's trades: a vote or score below zero, "
        "that regime, an expected loss. Earned is the mean R of the rule with the veto, other trades taken in place of "
        "those that it ends, less the mean R without it.\n"
    )
    yield (
        f"A veto is supported where the trades that it ends lost: surely (one chance in {1 / LEVEL:.0f} that any of "
        f"{len(worths)} seems so), and both before {day} and from {day} on, with at least {FEWEST_OUTCOMES} trades "
        "each. All others are neutral: they stand in the message's reasons and end nothing.\n"
    )
    heads = ("their mean R", f"before {day}", f"from {day} on", "rule with it", "earned", "veto")
    yield f"| reason | trades it would end | {' | '.join(heads)} |"
    yield "|---|--:|--:|--:|--:|--:|--:|---|"
    for each in worths:
        verdict = "supported" if each.is_supported else "neutral"
        earned = f"{each.earned:+.3f}" if each.ended.n and isfinite(each.earned) else "–"
        yield (
            f"| {each.name} | {each.ended.n} | {_told(each.ended)} | {_short(each.ended_before)} | "
            f"{_short(each.ended_later)} | {_short(each.kept)} | {earned} | {verdict} |"
        )
    for name, why in UNHEARD.items():
        if not any(each.name == name and each.ended.n for each in worths):
            yield f"| {name} (live) | – | – | – | – | – | – | neutral: {why} |"
    supported = [each.name for each in worths if each.is_supported]
    yield f"\nSupported here: {', '.join(supported) or 'none'}. In use: {', '.join(VETOES) or 'none'}.\n"


def _told(measured: Measured) -> str:
    if not measured.n:
        return "–"
    low, high = measured.interval
    return f"{measured.mean:+.2f}" + (f" [{low:+.2f}, {high:+.2f}]" if isfinite(low) else "")


def _short(measured: Measured) -> str:
    return f"{measured.mean:+.2f} ({measured.n})" if measured.n else "–"

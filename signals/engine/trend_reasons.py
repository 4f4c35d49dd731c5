"""What else speaks of a breakout: reasons beside the trend rule.

Each may end a trade of the rule only while `VETOES` names it, and that names what was measured to help: the trades that
a veto would have ended lost, beyond what asking so many vetoes finds by chance, before 2024 and from 2024 on
(`manage.py report_strategies`, docs/strategies.md). What was not measured, or does not help, stands in the reasons and
changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from signals.engine.hybrid import Decision
from signals.engine.sentiment import VETO
from signals.engine.strategies import STRATEGIES
from signals.engine.timeframe import TIMEFRAME_WEIGHTS
from signals.engine.trend import TIMEFRAME

BLEND, SENTIMENT, ML, RL = "blend", "sentiment", "ml", "rl"
# By name, what was measured of it. Asked on 2026-11-28: none of them helps.
VETOES: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Reason:
    """value: below zero where it speaks against buying, in its own units."""

    name: str
    value: float
    is_against: bool


def score_name(timeframe: str) -> str:
    return f"{timeframe} score"


def regime_name(regime: str) -> str:
    return f"regime {regime}"


def reasons_of(heard: Decision) -> tuple[Reason, ...]:
    """All that was said at the close. A strategy's value: its standing votes, weighted by timeframe (20/30/50 %)."""
    votes = dict.fromkeys(STRATEGIES, 0.0)
    for vote in heard.votes:
        votes[vote.strategy] += vote.contribution
    spoken = {name: value for name, value in votes.items() if value != 0}
    spoken |= {score_name(each): heard.scores[each] for each in TIMEFRAME_WEIGHTS if each in heard.scores}
    if heard.scores:
        spoken[BLEND] = heard.score
    found = [Reason(name, value, value < 0) for name, value in spoken.items()]
    if regime := heard.regimes.get(TIMEFRAME):
        found.append(Reason(regime_name(regime.value), 0.0, True))
    found += _learned(heard.features)
    return tuple(found)


def _learned(features: Mapping[str, float | str]) -> Iterator[Reason]:
    """Sentiment where both origins spoke, and the position of the policy in use."""
    mood = features.get("sentiment")
    if isinstance(mood, float) and "sentiment_fallback" not in features and isfinite(mood):
        yield Reason(SENTIMENT, mood, mood <= -VETO)
    position = features.get(f"policy_{features.get('policy_chosen')}")
    if isinstance(position, float):
        yield Reason(RL, position, position < 0)


def veto_of(reasons: Sequence[Reason], vetoes: Mapping[str, str] = VETOES) -> Reason | None:
    """The first that speaks against the trade and may end it."""
    return next((each for each in reasons if each.is_against and each.name in vetoes), None)


def in_words(reasons: Sequence[Reason]) -> Iterator[str]:
    """For messages: the blend first, then who speaks for and against."""
    said = {each.name: each for each in reasons}
    if BLEND in said:
        scores = ", ".join(
            f"{each} {said[score_name(each)].value:+.2f}"
            for each in TIMEFRAME_WEIGHTS
            if score_name(each) in said
        )
        yield f"the blend of the fourteen strategies stands at {said[BLEND].value:+.2f} ({scores})"
    votes = sorted((each for each in reasons if each.name in STRATEGIES), key=lambda each: -abs(each.value))
    for side, chosen in (
        ("for", [v for v in votes if v.value > 0]),
        ("against", [v for v in votes if v.value < 0]),
    ):
        if chosen:
            yield f"{len(chosen)} strategies speak {side} it: {', '.join(each.name for each in chosen)}"
    for each in reasons:
        if each.name.startswith(regime_name("")):
            yield f"the {TIMEFRAME} regime is {each.name.removeprefix(regime_name('')).replace('_', ' ')}"
    for name, words in ((SENTIMENT, "sentiment stands at"), (RL, "the trained policy would hold")):
        if name in said:
            yield f"{words} {said[name].value:+.2f}"


def as_features(reasons: Sequence[Reason]) -> dict[str, float]:
    """What an evaluation keeps, so that the value of each can be measured on what was decided live as well."""
    return {f"reason {each.name}": each.value for each in reasons}

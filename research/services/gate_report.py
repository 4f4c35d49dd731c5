# ruff: noqa: E501  (sentences of a page)
"""`docs/evidence.md`: what the gate lets through and keeps back where the truth is known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from research.engine.gate_study import DAYS, RATES, SHAPES, TOGETHER, noise, power, share_passing
from signals.engine.candidates import CANDIDATES
from signals.engine.evidence import (
    FEWEST_OUTCOMES,
    FEWEST_WEEKS,
    HIGHEST_COST_R,
    PROMISING_ERRORS,
    PROVEN_ERRORS,
)

ERRORS = (1.0, 2.0, 2.5, 3.0, 3.5, 4.0)
SKILL, OUTCOMES = 0.3, 600
MOST_NOISE, LEAST_POWER = 0.05, 0.9
KINDS_ASKED = 200


@dataclass(frozen=True, slots=True)
class Found:
    """Of one shape of outcomes: best days of kinds of noise, and the share of skilled kinds that passes."""

    shape: str
    highest: "np.ndarray[tuple[int], np.dtype[np.float64]]"
    power: float
    power_promising: float

    @property
    def holds(self) -> bool:
        return share_passing(self.highest, PROVEN_ERRORS) <= MOST_NOISE and self.power >= LEAST_POWER


def measure(*, kinds: int, seed: int, progress: Callable[[str], object]) -> list[Found]:
    found = []
    for number, shape in enumerate(SHAPES):
        progress(shape)
        skilled = {
            errors: power(
                shape,
                errors=errors,
                kinds=max(kinds // 4, 100),
                outcomes=OUTCOMES,
                skill=SKILL,
                seed=seed + 100 + number,
            )
            for errors in (PROVEN_ERRORS, PROMISING_ERRORS)
        }
        highest = noise(shape, kinds=kinds, seed=seed + number)
        found.append(Found(shape, highest, skilled[PROVEN_ERRORS], skilled[PROMISING_ERRORS]))
    return found


def render(found: list[Found], *, command: str, commit: str) -> str:
    return "\n".join([*_introduction(command, commit), *_noise(found), *_power(found), *_candidates()])


def _introduction(command: str, commit: str) -> Iterator[str]:
    yield "# What the gate asks for, and how often it is wrong\n"
    yield f"Written by `{command}`, commit {commit}; do not edit.\n"
    yield (
        "Each kind of signal (source, group of strategies, side, exit plan, asset class) is judged daily by its outcomes "
        "after costs: on stored candles, decided from 2024 on or after its settings were frozen, and live, published or "
        f"not. With fewer than {FEWEST_OUTCOMES} outcomes or {FEWEST_WEEKS} weeks it abstains. Then **proven** is a mean "
        f"of more than m = {PROVEN_ERRORS:g} standard errors above zero, weeks as clusters; **promising, not proven** is "
        f"more than {PROMISING_ERRORS:g}, for candidates that were registered beforehand alone. Either way a round trip "
        f"may cost at most {HIGHEST_COST_R:g} R.\n"
    )
    yield (
        f"Below, kinds whose truth is known: {DAYS // 365} simulated years, asked at the end of every day, {RATES[0]:g} to "
        f"{RATES[1]:g} outcomes a day (evenly in logarithms), a week's trades sharing {TOGETHER:.0%} of their variance. "
        "A kind counts as passing if it does on any day.\n"
    )


def _noise(found: list[Found]) -> Iterator[str]:
    kinds = len(found[0].highest)
    yield f"## Kinds that earn nothing ({kinds:,} of each shape): the share that ever passes\n"
    yield f"| outcomes | {' | '.join(f'm = {errors:g}' for errors in ERRORS)} |"
    yield f"|---|{'--:|' * len(ERRORS)}"
    for each in found:
        cells = (f"{share_passing(each.highest, errors):.1%}" for errors in ERRORS)
        yield f"| {each.shape} | {' | '.join(cells)} |"
    worst = max(share_passing(each.highest, PROVEN_ERRORS) for each in found)
    luck = max(share_passing(each.highest, PROMISING_ERRORS) for each in found)
    yield (
        f"\nAt m = {PROVEN_ERRORS:g} at most {worst:.1%} pass, of {KINDS_ASKED} kinds that is {worst * KINDS_ASKED:.0f} "
        f"(goal: {MOST_NOISE:.0%}). The lower bound lets up to {luck:.0%} of noise through at some time: that is why it "
        "is open to few candidates only, and why its signals say that nothing is proven.\n"
    )


def _power(found: list[Found]) -> Iterator[str]:
    yield f"## Kinds that earn {SKILL:+.1f} R a trade, {OUTCOMES} outcomes in the two years: the share that passes\n"
    yield f"| outcomes | proven (goal {LEAST_POWER:.0%}) | promising |"
    yield "|---|--:|--:|"
    for each in found:
        yield f"| {each.shape} | {each.power:.1%} | {each.power_promising:.1%} |"
    yield ""


def _candidates() -> Iterator[str]:
    yield "## Registered candidates\n"
    for each in CANDIDATES:
        yield f"- **{each.name}** ({each.kind}), registered {each.registered_on:%Y-%m-%d}: {each.settings}. {each.reason}."

"""Who is listened to at a close: the rules, the model, or both together. All three answer with the same Choice."""

from dataclasses import dataclass, replace

import numpy as np

from autopilot.engine.analysis import Analysis
from autopilot.engine.confidence import Confidence
from autopilot.engine.cycle import Mode
from autopilot.engine.groups import GROUP_ORDER, MEMBERS, in_words, rule_order
from autopilot.engine.records import NAMES, StrategyRecords, best_strategy
from autopilot.engine.selector import Choice, SelectorModel, strategy_confidence
from signals.engine.hybrid import SUITED
from signals.engine.strategy import StrategyGroup

BY_RULES = "by rules"


@dataclass(frozen=True, slots=True)
class Chosen:
    """fallbacks: what was missing where a model was wanted. score: P(profit after costs), None where uncalibrated."""

    choice: Choice
    fallbacks: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        return self.choice.probability

    @property
    def is_calibrated(self) -> bool:
        return self.choice.probability is not None


def choose(
    mode: Mode,
    analysis: Analysis,
    *,
    model: SelectorModel | None,
    why_no_model: str,
    records: StrategyRecords,
    recent: StrategyRecords,
    confidence: Confidence | None = None,
) -> Chosen:
    """pattern: rules. ml: the model; rules where there is none, told as a fallback. hybrid: the model where its
    group is made for the regime and speaks, else the rules.

    records: of this instrument's past, for the rules, and confidence what it is worth; without that their choice
    has no probability. recent: what was traded since, for both.
    """
    known = records + recent
    if mode is Mode.PATTERN:
        return Chosen(by_rules(analysis, known, BY_RULES, confidence))
    if model is None:
        return Chosen(by_rules(analysis, known, why_no_model, confidence), (f"no model: {why_no_model}",))
    told = model.choose(analysis.row, analysis.place, analysis.speaking, recent)
    if mode is Mode.HYBRID:
        suits = analysis.regime is None or analysis.regime in SUITED[told.group]
        if told.strategy is None or not suits:
            why = (
                "none of its strategies gives a signal"
                if suits
                else f"it does not suit {in_words(str(analysis.regime))}"
            )
            because = f"the model ranks {in_words(told.group)} first, but {why}; the rules decide"
            rules = by_rules(analysis, known, because, confidence)
            return Chosen(replace(rules, group_probabilities=told.group_probabilities, reasons=told.reasons))
    return Chosen(told)


def by_rules(
    analysis: Analysis, records: StrategyRecords, why: str, confidence: Confidence | None = None
) -> Choice:
    """The best strategy on record of the regime's group; its probability is what calibration makes of that record.

    Where none of that group speaks, the next group that is made for this regime is asked.
    """
    first = None
    for group in rule_order(analysis.place):
        members = [name for name in analysis.speaking if name in MEMBERS[group]]
        strategy = best_strategy(records, members, analysis.place)
        if strategy is not None:
            told = (
                why
                if first is None
                else f"{why}; no signal of {in_words(first)}, {in_words(group)} suits as well"
            )
            choice = Choice(group=group, strategy=strategy, by_rules=True, why=told)
            known = scores(group, strategy, analysis.place, records)
            return choice if known is None or confidence is None else replace(choice, **confidence.of(*known))
        first = first or group
    made_for = first or GROUP_ORDER[0]
    silent = f"{why}; {in_words(made_for)} suits this market, but no strategy that suits it gives a signal"
    return Choice(group=made_for, strategy=None, by_rules=True, why=silent)


def scores(
    group: StrategyGroup, strategy: str, place: int, records: StrategyRecords
) -> tuple[float, float] | None:
    """How often the group's trades, and the strategy's among them, ended well on record, drawn to the means.

    Scores for a calibration to read, no probabilities; None where no trade is on record.
    """
    if not records.trades.any():
        return None
    rate = records.group_rate()[GROUP_ORDER.index(group)]
    return float(rate[place] if place >= 0 else rate.mean()), strategy_confidence(records, strategy, place)


def ranking(
    choice: Choice, analysis: Analysis, records: StrategyRecords
) -> list[dict[str, str | float | bool | None]]:
    """Groups, best first, and who of them speaks, with the record of each in this regime (R after costs, shrunk)."""
    told = choice.group_probabilities
    made = records.mean_r()
    rows: list[dict[str, str | float | bool | None]] = []
    places = np.argsort([-each for each in told], kind="stable") if told else range(len(GROUP_ORDER))
    for place in places:
        group = GROUP_ORDER[int(place)]
        for name in MEMBERS[group]:
            if name in analysis.speaking:
                column = made[NAMES.index(name)]
                mean = column[analysis.place] if analysis.place >= 0 else column.mean()
                rows.append(
                    {
                        "group": group.value,
                        "rank": None if told is None else round(told[int(place)], 4),
                        "strategy": name,
                        "record": round(float(mean), 4),
                        "chosen": name == choice.strategy,
                    }
                )
    return rows

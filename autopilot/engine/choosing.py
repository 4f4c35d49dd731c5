"""Who is listened to at a close: the rules, the model, or both together. All three answer with the same Choice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autopilot.engine.analysis import Analysis
from autopilot.engine.cycle import Mode
from autopilot.engine.groups import GROUP_ORDER, MEMBERS, rule_groups
from autopilot.engine.records import NAMES, PRIOR_TRADES, StrategyRecords, best_strategy
from autopilot.engine.selector import Choice, SelectorModel, strategy_confidence, wilson
from signals.engine.hybrid import SUITED
from signals.engine.regime import REGIMES
from signals.engine.strategy import StrategyGroup

BY_RULES = "by rules"


@dataclass(frozen=True, slots=True)
class Chosen:
    """fallbacks: what was missing where a model was wanted. is_calibrated: whether the score is a calibrated one."""

    choice: Choice
    fallbacks: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        return self.choice.probability

    @property
    def is_calibrated(self) -> bool:
        return not self.choice.by_rules and self.choice.probability is not None


def choose(
    mode: Mode,
    analysis: Analysis,
    *,
    model: SelectorModel | None,
    why_no_model: str,
    records: StrategyRecords,
    recent: StrategyRecords,
) -> Chosen:
    """pattern: rules. ml: the model; rules where there is none, told as a fallback. hybrid: the model where its
    group is made for the regime and speaks, else the rules.

    records: of this instrument's past, for the rules. recent: what was traded since, for both.
    """
    known = records + recent
    if mode is Mode.PATTERN:
        return Chosen(by_rules(analysis, known, BY_RULES))
    if model is None:
        return Chosen(by_rules(analysis, known, why_no_model), (f"no model: {why_no_model}",))
    told = model.choose(analysis.row, analysis.place, analysis.speaking, recent)
    if mode is Mode.HYBRID:
        suits = analysis.regime is None or analysis.regime in SUITED[told.group]
        if told.strategy is None or not suits:
            why = "none of it speaks" if suits else f"it is not made for {analysis.regime}"
            rules = by_rules(
                analysis, known, f"the model ranks {told.group.value} first, but {why}; rules go on"
            )
            return Chosen(replace(rules, group_probabilities=told.group_probabilities, reasons=told.reasons))
    return Chosen(told)


def by_rules(analysis: Analysis, records: StrategyRecords, why: str) -> Choice:
    """The best strategy on record of the regime's group, with the frequencies of that record.

    Where none of that group speaks, the next group that is made for this regime is asked.
    """
    first = None
    for group in rule_order(analysis.place):
        members = [name for name in analysis.speaking if name in MEMBERS[group]]
        strategy = best_strategy(records, members, analysis.place)
        if strategy is not None:
            told = (
                why if first is None else f"{why}; none of {first.value} speaks, {group.value} suits as well"
            )
            choice = Choice(group=group, strategy=strategy, by_rules=True, why=told)
            return replace(choice, **frequencies(group, strategy, analysis.place, records))
        first = first or group
    made_for = first or GROUP_ORDER[0]
    silent = f"{why}; {made_for.value} is made for this market, and nobody who suits it speaks"
    return Choice(group=made_for, strategy=None, by_rules=True, why=silent)


def rule_order(place: int) -> list[StrategyGroup]:
    """The regime's own group first, then the others that are made for it; where it is not known only the first."""
    own = GROUP_ORDER[int(rule_groups(np.array([place], dtype=np.int8))[0])]
    if place < 0:
        return [own]
    return [own, *(group for group in GROUP_ORDER if group is not own and REGIMES[place] in SUITED[group])]


def frequencies(group: StrategyGroup, strategy: str, place: int, records: StrategyRecords) -> dict[str, Any]:
    """Of the record, drawn to the means: nothing is told where no trade is on record."""
    if not records.trades.sum():
        return {}
    members = [NAMES.index(name) for name in MEMBERS[group]]
    columns: Sequence[int] = [place] if place >= 0 else list(range(records.trades.shape[1]))
    well = records.well_trades[np.ix_(members, columns)].sum()
    counted = records.trades[np.ix_(members, columns)].sum()
    usual = records.well_trades.sum() / records.trades.sum()
    sure = float((well + PRIOR_TRADES * usual) / (counted + PRIOR_TRADES))
    within = strategy_confidence(records, strategy, place)
    seen = int(records.trades[NAMES.index(strategy), columns].sum())
    low, high = wilson(sure * within, seen)
    return {
        "group_confidence": sure,
        "strategy_confidence": within,
        "probability": sure * within,
        "probability_n": seen,
        "probability_low": low,
        "probability_high": high,
    }


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

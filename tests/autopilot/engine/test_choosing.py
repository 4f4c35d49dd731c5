"""The rules' choice on made-up opinions: the regime's group first, then others that suit it, by their record."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autopilot.engine.choosing import by_rules, choose, scores
from autopilot.engine.confidence import Confidence
from autopilot.engine.cycle import Mode
from autopilot.engine.groups import RULES, rule_order
from autopilot.engine.records import NAMES, StrategyRecords, no_records
from signals.engine.calibration import fit_calibration
from signals.engine.hybrid import SUITED
from signals.engine.regime import REGIMES, Regime
from signals.engine.strategy import StrategyGroup

RANKS = np.linspace(0.2, 0.8, 400)
WON = np.random.default_rng(1).random(400) < RANKS**2
CALIBRATED = Confidence(fit_calibration(RANKS, WON), fit_calibration(RANKS, WON))
RANGING = REGIMES.index(Regime.RANGING)


def seen(speaking: tuple[str, ...], place: int = RANGING) -> Any:
    regime = None if place < 0 else REGIMES[place]
    return SimpleNamespace(place=place, speaking=speaking, regime=regime, row=np.zeros(1))


def record(strategy: str, wins: int, losses: int) -> StrategyRecords:
    """That strategy in a ranging market: winners made 1 R, losers lost 1; every winner's group did well."""
    records, cell = no_records(), (NAMES.index(strategy), RANGING)
    records.trades[cell], records.wins[cell] = wins + losses, wins
    records.summed_r[cell] = wins - losses
    records.well_trades[cell] = records.well_wins[cell] = wins
    return records


@pytest.mark.parametrize("place", range(len(REGIMES)))
def test_the_regimes_own_group_comes_first_and_only_suited_ones_follow(place: int) -> None:
    first, *others = rule_order(place)
    assert first is RULES[REGIMES[place]]
    assert all(REGIMES[place] in SUITED[group] for group in others)


def test_of_a_group_the_best_on_record_is_chosen() -> None:
    good, bad = record("rsi", 60, 20), record("grid", 20, 60)
    choice = by_rules(seen(("grid", "rsi")), good + bad, "by rules", CALIBRATED)
    assert (choice.group, choice.strategy) == (StrategyGroup.MEAN_REVERSION, "rsi")
    assert choice.probability == pytest.approx(choice.group_confidence * choice.strategy_confidence)  # type: ignore[operator]
    assert choice.probability_low <= choice.probability <= choice.probability_high  # type: ignore[operator]


def test_another_group_that_suits_the_market_is_asked_where_the_first_is_silent() -> None:
    choice = by_rules(seen(("dca",)), no_records(), "by rules")
    assert (choice.group, choice.strategy) == (StrategyGroup.MARKET_MAKING, "dca")
    assert "no signal of mean reversion" in choice.why


def test_nobody_who_suits_the_market_is_silence() -> None:
    choice = by_rules(seen(("macd",)), no_records(), "by rules")
    assert choice.strategy is None
    assert choice.group is StrategyGroup.MEAN_REVERSION


def test_without_any_trade_on_record_or_without_calibration_no_probability_is_told() -> None:
    assert scores(StrategyGroup.MEAN_REVERSION, "rsi", RANGING, no_records()) is None
    assert by_rules(seen(("rsi",)), no_records(), "by rules", CALIBRATED).probability is None
    few = Confidence(CALIBRATED.group, fit_calibration(RANKS[:29], WON[:29]))
    for uncalibrated in (None, few):
        choice = by_rules(seen(("rsi",)), record("rsi", 60, 20), "by rules", uncalibrated)
        assert (choice.strategy, choice.probability, choice.probability_n) == ("rsi", None, None)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_missing_model_is_a_fallback_only_where_one_was_wanted(mode: Mode) -> None:
    chosen = choose(
        mode, seen(("rsi",)), model=None, why_no_model="none", records=no_records(), recent=no_records()
    )
    assert chosen.choice.by_rules
    assert bool(chosen.fallbacks) == (mode is not Mode.PATTERN)
    assert not chosen.is_calibrated


class Model:
    """Ranks trend following first, and says so with a calibrated probability."""

    def __init__(self, strategy: str | None) -> None:
        self.strategy = strategy

    def choose(self, row: Any, place: int, speaking: Any, recent: Any) -> Any:
        from autopilot.engine.selector import Choice  # noqa: PLC0415

        return Choice(
            group=StrategyGroup.TREND_FOLLOWING,
            strategy=self.strategy,
            by_rules=False,
            why="the model",
            group_probabilities=(0.6, 0.1, 0.1, 0.1, 0.1),
            probability=0.5,
        )


@pytest.mark.parametrize(
    ("mode", "place", "strategy", "expected"),
    [
        (Mode.ML, Regime.RANGING, "macd", "macd"),
        (Mode.ML, Regime.RANGING, None, None),
        (Mode.HYBRID, Regime.TRENDING_UP, "macd", "macd"),
        (Mode.HYBRID, Regime.RANGING, "macd", "rsi"),  # its group is not made for this market: rules
        (Mode.HYBRID, Regime.TRENDING_UP, None, "momentum"),  # it is silent: rules
    ],
)
def test_who_decides_in_each_mode(
    mode: Mode, place: Regime, strategy: str | None, expected: str | None
) -> None:
    market = seen(("macd", "rsi", "momentum") if strategy else ("rsi", "momentum"), REGIMES.index(place))
    model: Any = Model(strategy)
    chosen = choose(mode, market, model=model, why_no_model="", records=no_records(), recent=no_records())
    assert chosen.choice.strategy == expected
    assert chosen.is_calibrated == (not chosen.choice.by_rules)

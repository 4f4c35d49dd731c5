"""No part of the engine sees the future.

Everything public is walked; what is neither run here nor excused fails. What is run must give, for any
moment, the same rows up to that moment, bit for bit, when all that came later is replaced by noise.
gate.py tells how to register something new.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from signals.engine.registry import ROW_WISE, warm_up
from signals.engine.strategies import STRATEGIES
from tests.signals.engine.gate import (
    Case,
    Scene,
    compare,
    gallery,
    public_callables,
    row_wise_case,
    scene,
    strategy_case,
)
from tests.signals.engine.look_ahead_cases import CASES, Trade, entered, same_bar, same_close

pytestmark = pytest.mark.slow
MOMENTS = 40

# Where the usual scene would not show what a function can do.
MARKETS = {"signals.engine.patterns.candlesticks.detect_all": gallery}

WITH_FILL = "run by the cases of fill.step and fill.place"
WITH_BOOK = "run by the case of fill.batch.step_book"
AMOUNTS = "arithmetic on amounts given, sees no series"
CLOSED_TRADES = "sums up trades that have ended, sees no candles"
PAST_RETURNS = "sums up a record that has ended, sees no candles"
FITS = "gives parameters of the returns that it is given, no rows; what uses them is run"
WITH_DECISIONS = "run by the case of decisions"
WITH_INDICATORS = "every indicator is run through it"
LEDGER = [
    "signals.engine.ledger.canonical_json",
    "signals.engine.ledger.chain_hash",
    "signals.engine.ledger.instant",
    "signals.engine.ledger.leaf_hash",
    "signals.engine.ledger.new_entry",
    "signals.engine.ledger.verify",
    "signals.engine.ledger_head.Head.digest",
    "signals.engine.ledger_head.Head.fields",
    "signals.engine.ledger_head.Head.statement",
    "signals.engine.ledger_head.digest_of",
    "signals.engine.ledger_head.export_line",
    "signals.engine.ledger_head.receipt",
    "signals.engine.ledger_head.signed",
    "signals.engine.merkle.audit_path",
    "signals.engine.merkle.merkle_root",
    "signals.engine.merkle.root_from_path",
]
AFTER_THE_CLOSE = "moves a stop after a close, by that close; test_managed_exits.py scrambles what follows"

EVIDENCE = "sums up outcomes that its service has cut at what was known, sees no candles"
REASONS = "names and picks what a decision of the close said, sees no candles"
KEPT = "keeps what was read as of a moment, computes nothing"
WORDS = "reads or writes a text, sees no candles"
ENVIRONMENT = "a market to learn in: decided on a close, filled at the next open; see test_trading_env.py"

EXCUSED: Mapping[str, str] = {
    "signals.engine.evidence.cost_in_r": EVIDENCE,
    "signals.engine.evidence.figures": EVIDENCE,
    "signals.engine.evidence.measure": EVIDENCE,
    "signals.engine.evidence.passes": EVIDENCE,
    "signals.engine.evidence.running": EVIDENCE,
    "signals.engine.evidence.shrink": EVIDENCE,
    "signals.engine.evidence.standing": EVIDENCE,
    "signals.engine.evidence.verdict": EVIDENCE,
    "signals.engine.evidence.week_of": EVIDENCE,
    "signals.engine.asset_names.names_of": WORDS,
    "signals.engine.candidates.candidate_of": WORDS,
    "signals.engine.headline.cleaned": WORDS,
    "signals.engine.headline.mentions": WORDS,
    "signals.engine.headline.score_of": WORDS,
    "signals.engine.headline.speaks_to_a_model": WORDS,
    "signals.engine.in_words.record_sentence": WORDS,
    "signals.engine.in_words.share_of_profit": WORDS,
    "signals.engine.in_words.trend_sentence": WORDS,
    "signals.engine.plan_words.exit_words": WORDS,
    "signals.engine.plan_words.hold_words": WORDS,
    "signals.engine.plan_words.onward_words": WORDS,
    "signals.engine.hybrid.mood.blend_with_mood": WITH_DECISIONS,
    "signals.engine.policy_choice.choose": PAST_RETURNS,
    "signals.engine.policy_choice.drift": PAST_RETURNS,
    "signals.engine.policy_features.judged": "cuts rows off the front",
    "signals.engine.policy_features.said_by": "reads what was known at each close; test_policy_features.py",
    "signals.engine.policy_features.windows_of": "resamples, which is run",
    "signals.engine.sentiment.Mood.features": "of the readings known at one moment; test_sentiment.py",
    "signals.engine.sentiment.left_of": "of the readings known at one moment; test_sentiment.py",
    "signals.engine.sentiment.mood_at": "of the readings known at one moment; test_sentiment.py",
    "signals.engine.trading_env.MarketBatch": ENVIRONMENT,
    "signals.engine.trading_env.MarketBatch.reset": ENVIRONMENT,
    "signals.engine.trading_env.MarketBatch.step": ENVIRONMENT,
    "signals.engine.trading_env.as_costs": ENVIRONMENT,
    "signals.engine.trading_env.in_ticks": ENVIRONMENT,
    "signals.engine.trading_env.observations_by_position": ENVIRONMENT,
    "signals.engine.trading_env.walk": ENVIRONMENT,
    "signals.engine.trading_env.foreseen": "the oracle of a gate: it looks ahead on purpose and decides nothing live",
    "signals.engine.trend.decide": "the newest row of breakouts, and what follow makes of it: both are run",
    "signals.engine.trend.plan_of": "the newest row of breakouts, and what follow makes of it: both are run",
    "signals.engine.trend.strength": "the newest row of breakouts, and what follow makes of it: both are run",
    "signals.engine.trend.taken": "the newest row of breakouts, and what follow makes of it: both are run",
    "signals.engine.trend.trades": "the newest row of breakouts, and what follow makes of it: both are run",
    "signals.engine.compiled.dependencies": "reads source files",
    "signals.engine.compiled.sources_hash": "reads source files",
    "signals.engine.compiled.stamp": "reads source files",
    "signals.engine.compiled.watch_all_sources": "sets an option",
    "signals.engine.numba_cache.BesideSources": "names a folder",
    "signals.engine.numba_cache.BesideSources.get_disambiguator": "reads source files",
    "signals.engine.numba_cache.BesideSources.get_source_stamp": "reads source files",
    "signals.engine.numba_cache.Chosen": "names a folder",
    "signals.engine.numba_cache.Chosen.get_disambiguator": "reads source files",
    "signals.engine.numba_cache.Chosen.get_source_stamp": "reads source files",
    "signals.engine.numba_cache.OfUser": "names a folder",
    "signals.engine.numba_cache.OfUser.get_disambiguator": "reads source files",
    "signals.engine.numba_cache.OfUser.get_source_stamp": "reads source files",
    "signals.engine.assignment.arm_of": "draws lots, sees no candles",
    "signals.engine.assignment.block_of": "draws lots, sees no candles",
    "signals.engine.assignment.draw": "draws lots, sees no candles",
    "signals.engine.assignment.intervals": "draws lots, sees no candles",
    "signals.engine.calibration.Calibration.probability": "maps a score, fitted before",
    "signals.engine.calibration.expected_calibration_error": "judges when the outcomes are known",
    "signals.engine.calibration.fit_calibration": "learns from what it is given; its service gives it the past",
    "signals.engine.moment.instant": "converts one moment",
    "signals.engine.moment.milliseconds": "converts one moment",
    "signals.engine.packing.pack_arrays": "numbers to store as they are",
    "signals.engine.packing.require_unaltered": "compares stored bytes",
    "signals.engine.packing.sha256_of": "hashes bytes",
    "signals.engine.packing.unpack_arrays": "stored numbers back as they were",
    "signals.engine.cost_rates.CostRates.in_ppm": AMOUNTS,
    "signals.engine.cost_rates.rates_for": AMOUNTS,
    "signals.engine.costs.fee": WITH_FILL,
    "signals.engine.costs.part_of": WITH_FILL,
    "signals.engine.costs.slipped": WITH_FILL,
    "signals.engine.fill.advance.advance": WITH_BOOK,
    "signals.engine.fill.advance.passes_by": WITH_BOOK,
    "signals.engine.fill.batch.step_many": WITH_BOOK,
    "signals.engine.fill.book.add_order": WITH_BOOK,
    "signals.engine.fill.book.average_price": WITH_BOOK,
    "signals.engine.fill.book.end_at_open": WITH_BOOK,
    "signals.engine.fill.book.end_position": WITH_BOOK,
    "signals.engine.fill.book.find_order": WITH_BOOK,
    "signals.engine.fill.book.move_exits_of": WITH_BOOK,
    "signals.engine.fill.book.wait": WITH_BOOK,
    "signals.engine.fill.book.withdraw": WITH_BOOK,
    "signals.engine.fill.book.withdraw_entries": WITH_BOOK,
    "signals.engine.fill.inside.doubtful": WITH_BOOK,
    "signals.engine.fill.inside.favourable": WITH_BOOK,
    "signals.engine.fill.inside.meets": WITH_BOOK,
    "signals.engine.fill.inside.next_inside": WITH_BOOK,
    "signals.engine.fill.inside.reach": WITH_BOOK,
    "signals.engine.fill.inside.surest": WITH_BOOK,
    "signals.engine.fill.inside.touched": WITH_BOOK,
    "signals.engine.fill.layout.new_row": AMOUNTS,
    "signals.engine.fill.layout.pack": AMOUNTS,
    "signals.engine.fill.layout.unpack": AMOUNTS,
    "signals.engine.fill.money.affordable": AMOUNTS,
    "signals.engine.fill.money.counted": AMOUNTS,
    "signals.engine.fill.money.in_units": AMOUNTS,
    "signals.engine.fill.money.money_scale": AMOUNTS,
    "signals.engine.fill.money.scaled": AMOUNTS,
    "signals.engine.fill.money.share": AMOUNTS,
    "signals.engine.fill.money.surely_pays": AMOUNTS,
    "signals.engine.fill.money.worth": AMOUNTS,
    "signals.engine.fill.settle.end_order": WITH_BOOK,
    "signals.engine.fill.settle.event": WITH_BOOK,
    "signals.engine.fill.settle.fill_entry": WITH_BOOK,
    "signals.engine.fill.settle.fill_exit": WITH_BOOK,
    "signals.engine.fill.settle.paid_at": WITH_BOOK,
    "signals.engine.fill.settle.remove": WITH_BOOK,
    "signals.engine.fill.settle.worse": WITH_BOOK,
    "signals.engine.fill.terms.terms_row": AMOUNTS,
    "signals.engine.fill.trailing.followed_stop": AFTER_THE_CLOSE,
    "signals.engine.fill.trailing.trail_stops": AFTER_THE_CLOSE,
    "signals.engine.exit_plan.ExitPlan.as_json": AMOUNTS,
    "signals.engine.exit_plan.ExitPlan.check": AMOUNTS,
    "signals.engine.exit_plan.ExitPlan.from_json": AMOUNTS,
    "signals.engine.exit_plan.fixed": AMOUNTS,
    "signals.engine.exit_plan.managed": AMOUNTS,
    "signals.engine.exit_plan.raised_stop": AFTER_THE_CLOSE,
    "signals.engine.exit_plan.stops_along": "test_exit_plan.py scrambles the rows that follow",
    "signals.engine.outcome.Outcomes.chosen": "selects rows",
    "signals.engine.outcome.follow_plans": "the case of follow with plans; test_managed_exits.py scrambles its market",
    "signals.engine.fill.grid.Grid.amount": AMOUNTS,
    "signals.engine.fill.grid.Grid.lots": AMOUNTS,
    "signals.engine.fill.grid.Grid.price": AMOUNTS,
    "signals.engine.fill.grid.Grid.quantity": AMOUNTS,
    "signals.engine.fill.grid.Grid.ticks": AMOUNTS,
    "signals.engine.fill.grid.bars_in_ticks": WITH_FILL,
    "signals.engine.fill.single.cancel": WITH_FILL,
    "signals.engine.fill.single.close_position": WITH_FILL,
    "signals.engine.fill.single.equity": WITH_FILL,
    "signals.engine.fill.rules.beyond": WITH_FILL,
    "signals.engine.fill.rules.encloses": WITH_FILL,
    "signals.engine.fill.rules.extreme": WITH_FILL,
    "signals.engine.fill.rules.filled": WITH_FILL,
    "signals.engine.fill.rules.fills_at_open": WITH_FILL,
    "signals.engine.fill.rules.fits": AMOUNTS,
    "signals.engine.fill.rules.known_kind": AMOUNTS,
    "signals.engine.fill.single.move_exits": WITH_FILL,
    "signals.engine.fill.single.new_state": WITH_FILL,
    "signals.engine.horizon.out_by": "looks at one moment",
    "signals.engine.hybrid.blend.blend": WITH_DECISIONS,
    "signals.engine.hybrid.blend.standing_still": WITH_DECISIONS,
    "signals.engine.hybrid.blend.stop_distance": WITH_DECISIONS,
    "signals.engine.hybrid.explanation.decide": WITH_DECISIONS,
    "signals.engine.hybrid.explanation.explain": "the last row of decisions; test_hybrid.py scrambles its market",
    "signals.engine.hybrid.explanation.timeframe_of": "reads a text",
    "signals.engine.hybrid.hearing.hear": WITH_DECISIONS,
    "signals.engine.indicators.contract.check_multiple": AMOUNTS,
    "signals.engine.indicators.contract.check_period": AMOUNTS,
    "signals.engine.indicators.contract.column": WITH_INDICATORS,
    "signals.engine.indicators.contract.columns": WITH_INDICATORS,
    "signals.engine.indicators.contract.exponential_memory": AMOUNTS,
    "signals.engine.indicators.contract.prices": WITH_INDICATORS,
    "signals.engine.indicators.contract.rolling": WITH_INDICATORS,
    "signals.engine.indicators.contract.shifted": WITH_INDICATORS,
    "signals.engine.indicators.contract.wilder_memory": AMOUNTS,
    "signals.engine.entry.entered_from": "looks at two moments",
    "signals.engine.entry.entry_rows": "looks at open times only, which are known beforehand",
    "signals.engine.entry.publication_ms": "looks at one moment",
    **dict.fromkeys(LEDGER, "hashes what was published"),
    "signals.engine.patterns.candlesticks.detect": "run by detect_all, for every name",
    "signals.engine.patterns.candlesticks.sides": "run by detect_all, for every name",
    "signals.engine.patterns.isolation_forest.IsolationForest.from_arrays": "stored numbers back as they were",
    "signals.engine.patterns.isolation_forest.IsolationForest.to_arrays": "numbers to store as they are",
    "signals.engine.pairing.best_partners": "learns from what it is given; its service gives it the past",
    "signals.engine.pairing.return_correlations": "learns from what it is given; its service gives it the past",
    "signals.engine.unusual.is_unusual": "looks at one number",
    "signals.engine.patterns.isolation_forest.fit_isolation_forest": "learns from what it is given; the case of "
    "anomaly_score gives it the past",
    "signals.engine.patterns.pivots.pivot_rows": "arithmetic on rows, run by divergence",
    "signals.engine.digits.decimals_of": "writes a number",
    "signals.engine.digits.price_text": "writes a number",
    "signals.engine.packing.read_arrays": "stored numbers back as they were",
    "signals.engine.policy.Policy.act": "looks at the observation that it is given",
    "signals.engine.policy.Policy.scores": "looks at the observation that it is given",
    "signals.engine.policy.Policy.to_npz": "numbers to store as they are",
    "signals.engine.policy.load": "stored numbers back as they were",
    "signals.engine.plain.plain": "writes a number",
    "signals.engine.plain.plain_price": "writes a number",
    "signals.engine.performance.bootstrap_interval.bootstrap_interval": PAST_RETURNS,
    "signals.engine.performance.cagr.cagr": PAST_RETURNS,
    "signals.engine.performance.calmar_ratio.calmar_ratio": PAST_RETURNS,
    "signals.engine.performance.conditional_value_at_risk.conditional_value_at_risk": PAST_RETURNS,
    "signals.engine.performance.deepest_fall.deepest_fall": CLOSED_TRADES,
    "signals.engine.performance.drawdown_walk.deepest": PAST_RETURNS,
    "signals.engine.performance.drawdown_walk.longest": PAST_RETURNS,
    "signals.engine.performance.moments.moments": PAST_RETURNS,
    "signals.engine.performance.moments_walk.merged": PAST_RETURNS,
    "signals.engine.performance.moments_walk.not_returns": PAST_RETURNS,
    "signals.engine.performance.moments_walk.squares_around": PAST_RETURNS,
    "signals.engine.performance.moments_walk.total": PAST_RETURNS,
    "signals.engine.performance.moments_walk.walk_moments": PAST_RETURNS,
    "signals.engine.performance.equity_measures.equity_measures": PAST_RETURNS,
    "signals.engine.performance.equity_walk.walk_equity": PAST_RETURNS,
    "signals.engine.performance.sharpe_ratio.sharpe_of_moments": PAST_RETURNS,
    "signals.engine.performance.drawdown_length.drawdown_length": PAST_RETURNS,
    "signals.engine.performance.expectancy.expectancy": CLOSED_TRADES,
    "signals.engine.performance.exposure.exposure": PAST_RETURNS,
    "signals.engine.performance.inputs.check_level": AMOUNTS,
    "signals.engine.performance.inputs.check_number": AMOUNTS,
    "signals.engine.performance.inputs.check_periods": AMOUNTS,
    "signals.engine.performance.inputs.finished": AMOUNTS,
    "signals.engine.performance.inputs.one_dimension": AMOUNTS,
    "signals.engine.performance.inputs.period_returns": AMOUNTS,
    "signals.engine.performance.inputs.quotient": AMOUNTS,
    "signals.engine.performance.inputs.refuse_what_is_no_return": AMOUNTS,
    "signals.engine.performance.inputs.spreads": AMOUNTS,
    "signals.engine.performance.inputs.surely_spreads": AMOUNTS,
    "signals.engine.performance.inputs.varies": AMOUNTS,
    "signals.engine.performance.kurtosis.kurtosis": PAST_RETURNS,
    "signals.engine.performance.max_drawdown.max_drawdown": PAST_RETURNS,
    "signals.engine.performance.omega_ratio.omega_ratio": PAST_RETURNS,
    "signals.engine.performance.periods_per_year.periods_per_year": AMOUNTS,
    "signals.engine.performance.profit_factor.profit_factor": CLOSED_TRADES,
    "signals.engine.performance.r_multiple.r_multiple": CLOSED_TRADES,
    "signals.engine.performance.sharpe_ratio.sharpe_ratio": PAST_RETURNS,
    "signals.engine.performance.skewness.skewness": PAST_RETURNS,
    "signals.engine.performance.sortino_ratio.sortino_ratio": PAST_RETURNS,
    "signals.engine.performance.tail_ratio.tail_ratio": PAST_RETURNS,
    "signals.engine.performance.turnover.turnover": PAST_RETURNS,
    "signals.engine.performance.value_at_risk.value_at_risk": PAST_RETURNS,
    "signals.engine.performance.volatility.volatility": PAST_RETURNS,
    "signals.engine.performance.win_rate.win_rate": CLOSED_TRADES,
    "signals.engine.quality.RawCandles.take": "selects rows, before they are candles",
    "signals.engine.quality.RawCandles.values": "selects columns, before they are candles",
    "signals.engine.quality.inspect": "judges what came before it becomes candles; refuses what is after as_of",
    "signals.engine.regime.current_regime": "the last row of regimes",
    "signals.engine.registry.row_wise": "registers",
    "signals.engine.registry.warm_up": AMOUNTS,
    "signals.engine.session.is_tradable": "looks at one moment",
    "signals.engine.session.next_opening": "looks at one moment",
    "signals.engine.session.sessions_at": "looks at one moment",
    "signals.engine.sizing.is_same_money": AMOUNTS,
    "signals.engine.sizing.position_size": AMOUNTS,
    "signals.engine.strategy.DecisionContext.once": "hands on what a function gave; the case of opinions shares it",
    "signals.engine.strategy.Strategy.evaluate": "the contract; every strategy is run",
    "signals.engine.strategy.StrategySeries.judges": "a column that is run with the strategies that have it",
    "signals.engine.strategy.StrategySeries.reason": "words for one row, nothing is computed from them",
    "signals.engine.strategy.StrategySeries.signal": "one row of columns that are run with the strategy",
    "signals.engine.strategy.abstain": "silence, nothing is computed",
    "signals.engine.strategy.bounds": AMOUNTS,
    "signals.engine.strategy.parameter": AMOUNTS,
    "signals.engine.strategy.require_window": "checks a window and refuses it, gives nothing",
    "signals.engine.timeframe.Timeframe.close_time": "looks at one moment",
    "signals.engine.timeframe.Timeframe.floor": "looks at one moment",
    "signals.engine.volatility.fit_garch": FITS,
    "signals.engine.volatility.fit_har": FITS,
    "signals.engine.volatility.fit_volatility": FITS,
    "signals.engine.volatility.qlike": "judges forecasts when the returns are known",
    "signals.engine.wilson.wilson": AMOUNTS,
    "signals.engine.cost_rates.asset_class_of": AMOUNTS,
    "signals.engine.cost_rates.rates_of_pair": AMOUNTS,
    "signals.engine.performance.bootstrap_interval.bootstrap_intervals": PAST_RETURNS,
    "signals.engine.hybrid.hearing.standing_votes": WITH_DECISIONS,
    "signals.engine.standing.standing": KEPT,
    "signals.engine.standing.walking": KEPT,
    "signals.engine.marginal_value.held_for": PAST_RETURNS,
    "signals.engine.performance.bootstrap_interval.percentile_interval": PAST_RETURNS,
    "signals.engine.performance.bootstrap_interval.resampled_totals": PAST_RETURNS,
    "signals.engine.performance.sharpe_ratio.sharpe_of_sums": PAST_RETURNS,
    "signals.engine.marginal_value.marginal_weight": PAST_RETURNS,
    "signals.engine.trend_reasons.as_features": REASONS,
    "signals.engine.trend_reasons.in_words": REASONS,
    "signals.engine.trend_reasons.reasons_of": REASONS,
    "signals.engine.trend_reasons.regime_name": REASONS,
    "signals.engine.trend_reasons.score_name": REASONS,
    "signals.engine.trend_reasons.veto_of": REASONS,
    "signals.engine.timeframe.newest_closed": "looks at open times only, which are known beforehand",
}

PUBLIC = dict(public_callables())
STRATEGY_METHODS = {
    f"{type(each).__module__}.{type(each).__qualname__}.evaluate" for each in STRATEGIES.values()
}


def test_everything_public_is_run_or_excused() -> None:
    seen = set(ROW_WISE) | set(CASES) | set(EXCUSED) | STRATEGY_METHODS
    unseen = sorted(set(PUBLIC) - seen)
    assert not unseen, f"neither run nor excused: {unseen}. gate.py tells how to register them"
    gone = sorted(seen - set(PUBLIC))
    assert not gone, f"run or excused, but not in the engine any more: {gone}"
    assert not (set(EXCUSED) & (set(ROW_WISE) | set(CASES))), "excused and run"


def assert_blind(case: Case) -> None:
    found = compare(case, case.scene(), MOMENTS, seed=2)
    assert not found.changed, found.changed[:5]
    idle = {name: times for name, times in found.counted.items() if times < MOMENTS / 2}
    assert not idle, f"constant or never finite before most moments, so nothing was shown: {idle}"


@pytest.mark.parametrize("name", sorted(ROW_WISE))
def test_a_row_wise_function_is_blind_to_the_future(name: str) -> None:
    entry = ROW_WISE[name]
    assert_blind(row_wise_case(entry, warm_up(entry.function), MARKETS.get(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_case_is_blind_to_the_future(name: str) -> None:
    assert_blind(CASES[name])


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_that_has_fired_is_blind_to_the_future(name: str) -> None:
    assert_blind(strategy_case(name))


def leaks(run: Callable[[Scene], np.ndarray], *, at_open: bool = False) -> bool:
    return bool(
        compare(Case(lambda given: {"": run(given)}, at_open=at_open), scene(1_600, 1), 40, 2).changed
    )


@pytest.mark.parametrize(
    "leaky",
    [
        lambda close: np.append(close[1:], np.nan),  # the next row
        lambda close: np.convolve(close, np.ones(5) / 5, "same"),  # a mean around the row
        lambda close: (close - close.mean()) / close.std(),  # scaled by the whole window
        lambda close: np.argsort(np.argsort(close)).astype(float),  # ranked within the whole window
        lambda close: close[::-1].cumsum()[::-1],  # from the far end
        lambda close: close + 1e-13 * close[-1],  # the smallest trace of the last row
        lambda close: np.where(close == close.max(), 1.0, 0.0) + close,  # marks the top that nobody knew
    ],
)
def test_a_leak_is_caught(leaky: Callable[[np.ndarray], np.ndarray]) -> None:
    assert leaks(lambda given: leaky(given.ohlcv.close))


def test_a_leak_of_the_other_columns_and_of_votes_is_caught() -> None:
    for name in ("open", "high", "low", "volume"):
        assert leaks(lambda given, name=name: np.roll(getattr(given.ohlcv, name), -1))
    assert leaks(lambda given: np.roll(given.votes["model"], -1))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_that_peeks_one_bar_ahead_is_caught(name: str) -> None:
    honest = strategy_case(name)
    assert leaks(lambda given: np.append(honest.run(given)["direction"][1:], np.int8(0)))


def test_an_honest_function_is_not_accused() -> None:
    assert not leaks(lambda given: given.ohlcv.close)
    assert not leaks(lambda given: given.ohlcv.open, at_open=True)
    assert leaks(lambda given: given.ohlcv.close, at_open=True)


@pytest.mark.parametrize("mutant", [same_bar, same_close])
def test_a_fill_in_the_bar_that_was_decided_on_is_caught(mutant: Trade) -> None:
    assert compare(Case(entered(mutant), at_open=True), scene(500, 1), MOMENTS, 2).changed


def test_what_shows_nothing_is_refused() -> None:
    with pytest.raises(AssertionError, match="nothing was shown"):
        assert_blind(Case(lambda given: {"": np.zeros(len(given.ohlcv))}))
    with pytest.raises(AssertionError, match="nothing was shown"):
        assert_blind(Case(lambda given: {"": np.full(len(given.ohlcv), np.nan)}))

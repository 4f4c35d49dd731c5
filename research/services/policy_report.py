"""What policies are worth, as Markdown: known optima, gates on candle files, and an ablation by year."""

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from autopilot.engine.bootstrap import Samples, TrainingMarket, collect_samples, thinned
from autopilot.engine.group_vote import group_vote, vote_weight
from autopilot.services.challenger import proof
from autopilot.services.training_run import SelectorFitted
from research.engine.policies import HOURS_A_YEAR, Market, Method, returns_of
from research.services.policy_markets import featurise
from research.services.report_from_files import file_of, load
from signals.engine.candle import OHLCV, FloatArray
from signals.engine.cost_rates import rates_of_pair
from signals.engine.features import market_features
from signals.engine.horizon import HORIZON_BARS
from signals.engine.hybrid import DEFAULTS, decisions, opinions
from signals.engine.marginal_value import held_for, marginal_weight
from signals.engine.performance import max_drawdown, sharpe_ratio
from signals.engine.policy import Policy
from signals.engine.policy_features import windows_of
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import BASE_TIMEFRAME
from signals.engine.trading_env import observations_by_position, walk

Progress = Callable[[int, int, str], None]
Train = Callable[..., Policy]
MOST_SAMPLES = 20_000
CHECKED = 0.2  # the last share of the training's bars, on which the weight of a policy's vote is measured


class NoStore:
    """A report is not resumed."""

    def load(self, name: str) -> bytes | None:
        return None

    def keep(self, name: str, step: int, kept: bytes) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Line:
    """One variant in one year."""

    year: int
    variant: str
    profit: float
    sharpe: float
    drawdown: float
    trades: int


def markets_from_files(folder: Path, pairs: Sequence[str], start: datetime, end: datetime) -> list[Market]:
    """Costs of a pair's kind; shorts are allowed, as on margin."""
    found = []
    for pair in pairs:
        candles = load(file_of(folder, pair, BASE_TIMEFRAME), BASE_TIMEFRAME, end)
        first = int(np.searchsorted(candles.open_time, int(start.timestamp() * 1000)))
        found.append(Market(pair, *featurise(candles[first:]), rates_of_pair(pair)))
    return found


def optima_page(found: dict[str, Any]) -> str:
    """Of `known_optima.measure`."""
    lines = [
        "| market | algorithm | seed | earned, of the best | never above, within | trades, best | trades |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in found["rows"]:
        share = f"{row['earned'] / row['best']:.1%}" if row["best"] > 0 else f"{row['earned']:+.1e} (best 0)"
        lines.append(
            f"| {row['market']} | {row['algorithm']} | {row['seed']} | {share} | {3 * row['error']:.1e} a bar | "
            f"{row['best_trades']:.1%} | {row['trades']:.1%} |"
        )
    return f"{found['timesteps']:,} steps, large batch.\n\n" + "\n".join(lines) + "\n"


def gates_page(
    markets: Sequence[Market],
    *,
    study: Callable[..., dict[str, Any]],
    timesteps: int,
    seeds: int,
    progress: Progress,
) -> str:
    """Both algorithms trained on all markets together: gates, time and memory."""
    lines = ["| algorithm | gate | result | figures |", "|---|---|---|---|"]
    begun, cpu = time.perf_counter(), time.process_time()
    for number, algorithm in enumerate(("ppo", "dqn")):
        found = study(
            markets,
            method=Method(algorithm, timesteps),
            seeds=seeds,
            folds=1,
            trials=(number + 1) * seeds,
            featurise=featurise,
            store=NoStore(),
            progress=progress,
            tell_curve=lambda *_: None,
        )
        lines += [
            f"| {algorithm} | {gate['name']} | {'passed' if gate['passed'] else 'failed'} | {_figures(gate)} |"
            for gate in found["gates"]
        ]
    minutes, busy = (time.perf_counter() - begun) / 60, (time.process_time() - cpu) / 60
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    bars = sum(len(each.bars) for each in markets)
    return (
        f"{len(markets)} instruments, {bars:,} bars of 1h, {seeds} seeds of {timesteps:,} steps for each algorithm: "
        f"{minutes:.1f} minutes ({busy:.1f} of processor time), {memory:,.0f} MiB at most.\n\n"
        + "\n".join(lines)
        + "\n"
    )


def ablation_page(
    markets: Sequence[Market],
    *,
    years: Sequence[int],
    train: Train,
    fit: Callable[[Samples], SelectorFitted],
    timesteps: int,
    progress: Progress,
) -> str:
    """By year what each part adds to the ones before: rules, the selector's vote, a policy's vote, sentiment; then the
    selector as if it were heard in full, and the policy alone. Models are trained on the years before."""
    lines: list[Line] = []
    told = []
    for number, year in enumerate(years):
        progress(number, len(years), f"{year}: trains on all before")
        of_year, reason = _of_year(markets, year, train, fit, timesteps)
        lines += of_year
        told.append(f"- {year}: {reason}")
    head = "| year | variant | profit | Sharpe | deepest fall | trades |\n|---|---|---:|---:|---:|---:|\n"
    table = "".join(
        f"| {each.year} | {each.variant} | {each.profit:+.1%} | "
        f"{f'{each.sharpe:.2f}' if isfinite(each.sharpe) else '–'} | {each.drawdown:.1%} | {each.trades} |\n"
        for each in lines
    )
    return head + table + "\nThe selector trained on the years before:\n\n" + "\n".join(told) + "\n"


def _of_year(
    markets: Sequence[Market],
    year: int,
    train: Train,
    fit: Callable[[Samples], SelectorFitted],
    timesteps: int,
) -> tuple[list[Line], str]:
    first, last = (int(datetime(each, 1, 1, tzinfo=UTC).timestamp() * 1000) for each in (year, year + 1))
    past = [each.part(slice(0, int(np.searchsorted(each.bars.open_time, first)))) for each in markets]
    fitted = [each.part(slice(0, round(len(each.bars) * (1 - CHECKED)))) for each in past]
    checked = [each.part(slice(round(len(each.bars) * (1 - CHECKED)), None)) for each in past]
    policy = train(fitted, Method("ppo", timesteps), seed=0)
    before = [_followed(each, _rules(each), each.bars) for each in past]
    of_rules = np.mean(
        [each[0][-(len(part.bars) - 1) :] for each, part in zip(before, checked, strict=True)], axis=0
    )
    weight = marginal_weight(of_rules, np.mean([returns_of(policy, each)[0] for each in checked], axis=0))
    told, entitled, reason = _selector_of(past, fit)
    variants: dict[str, list[tuple[FloatArray, int]]] = {}
    for market in markets:
        rows = slice(*np.searchsorted(market.bars.open_time, (first, last)))
        shown = market.bars[rows]
        table = policy.act(observations_by_position(market.features)).reshape(-1, 3)
        held = walk(market.bars, table, market.costs)[1]
        wanted = np.append(held, held[-1]).astype(np.float64)
        said = told(market)
        ml = {"ml": said * entitled} if entitled > 0 else {}
        rl = {"rl": wanted * weight} if weight > 0 else {}
        for name, actions in (
            ("rules", _rules(market)),
            (f"+ ML (weight {entitled:.2f})", _rules(market, ml)),
            (f"+ RL (weight {weight:.2f})", _rules(market, ml | rl)),
            ("+ sentiment (no history is stored: neutral)", _rules(market, ml | rl, 0.0)),
            ("rules + ML, were it heard in full", _rules(market, {"ml": said})),
            ("RL alone", np.where(wanted < 0, 2, wanted)),
        ):
            variants.setdefault(name, []).append(_followed(market, actions[rows], shown))
    return [_line(year, name, each) for name, each in variants.items()], reason


def _selector_of(
    past: Sequence[Market], fit: Callable[[Samples], SelectorFitted]
) -> tuple[Callable[[Market], FloatArray], float, str]:
    """What the selector of these years says of a market, the weight that it has earned, and why."""
    import lightgbm  # noqa: PLC0415

    known = [TrainingMarket(each.name, each.bars, each.costs, each.shorts) for each in past]
    samples = thinned(collect_samples(known, timeframe=BASE_TIMEFRAME), MOST_SAMPLES)
    found = fit(samples)
    earned = vote_weight(known, BASE_TIMEFRAME, samples, found.judged, found.judged_rows)
    booster = lightgbm.Booster(model_str=found.model_text)

    def said(market: Market) -> FloatArray:
        as_of = datetime.fromtimestamp(BASE_TIMEFRAME.close_time(int(market.bars.open_time[-1])) / 1000, UTC)
        series = opinions(market.bars, DecisionContext(as_of=as_of, memo={}))
        return group_vote(np.asarray(booster.predict(market_features(market.bars), num_threads=1)), series)

    promoted, reason = proof(found, samples.horizon_ms)
    told = (
        f"{len(samples):,} samples; {'promoted' if promoted else 'not promoted'}: {reason}; measured weight"
    )
    return said, earned if promoted else 0.0, f"{told} {earned:.2f}."


def _rules(
    market: Market, votes: Mapping[str, FloatArray] | None = None, sentiment: float | None = None
) -> FloatArray:
    """sentiment: of every bar."""
    as_of = datetime.fromtimestamp(BASE_TIMEFRAME.close_time(int(market.bars.open_time[-1])) / 1000, UTC)
    known = None if sentiment is None else np.full(len(market.bars), sentiment)
    context = DecisionContext(as_of=as_of, votes=votes or {}, sentiment=known)
    series = decisions(windows_of(market.bars), DEFAULTS, context)
    return held_for(series.direction.astype(np.float64), HORIZON_BARS)


def _followed(market: Market, actions: FloatArray, bars: OHLCV) -> tuple[FloatArray, int]:
    gained, held = walk(bars, actions, market.costs)
    return np.expm1(gained), int((np.diff(held, prepend=0) != 0).sum())


def _line(year: int, variant: str, each: Sequence[tuple[FloatArray, int]]) -> Line:
    rows = min(len(gained) for gained, _ in each)
    record = np.mean([gained[-rows:] for gained, _ in each], axis=0)
    equity = np.cumprod(1 + record)
    return Line(
        year,
        variant,
        float(equity[-1] - 1),
        sharpe_ratio(record, HOURS_A_YEAR),
        abs(max_drawdown(record)),
        sum(trades for _, trades in each),
    )


def _figures(gate: dict[str, Any]) -> str:
    if gate["name"] == "oracle":
        return f"{gate['share']:.1%} of what was possible"
    if gate["name"] == "martingale":
        return f"profit {gate['profit']:+.1%}, {gate['score']:+.2f} deviations from zero, {gate['markets']} markets"
    profits = ", ".join(f"{seed['profit']:+.1%}" for seed in gate["seeds"])
    better = f"{gate['seeds_better']} of {len(gate['seeds'])} seeds ({profits}); holding {gate['hold']:+.1%}"
    return f"{better}. {gate['verdict']}"

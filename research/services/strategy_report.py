"""`docs/strategies.md`: what the strategies did over a stretch of real candles, beside a random walk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from research.services.strategy_study import FUSED, REFIT_DAYS, SESSIONS, Study, Trades
from signals.engine.cost_rates import asset_class_of, rates_for
from signals.engine.horizon import HORIZON_BARS
from signals.engine.performance import expectancy, win_rate
from signals.engine.regime import REGIMES
from signals.engine.strategies import STRATEGIES

CONFIDENCE_STEPS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FEW = 30
NAMES = (*STRATEGIES, FUSED)

Choice = Callable[[Trades], Trades]
Cell = tuple[str, Choice]


def _in_regime(place: int) -> Choice:
    return lambda trades: trades.chosen(trades.regime == place)


def _in_session(place: int) -> Choice:
    return lambda trades: trades.chosen(trades.open_sessions[:, place])


def _outside_sessions(trades: Trades) -> Trades:
    return trades.chosen(np.asarray(trades.open_sessions.sum(axis=1) == 0))


REGIME_CELLS: Sequence[Cell] = [(regime.value, _in_regime(place)) for place, regime in enumerate(REGIMES)]
SESSION_CELLS: Sequence[Cell] = [
    *((session.value, _in_session(place)) for place, session in enumerate(SESSIONS)),
    ("none open", _outside_sessions),
]


@dataclass(frozen=True, slots=True)
class Origin:
    """How a report came about, so that anybody can make it again."""

    command: str
    commit: str
    markets: Sequence[str]
    start: datetime
    end: datetime
    every: int
    source: str


def render(origin: Origin, real: Study, walk: Study) -> str:
    """The whole page, Markdown."""
    return "\n".join(
        [
            *_introduction(origin, real),
            *_overview(real, walk),
            *_silent(real),
            *_split("By regime of the hour in which it was decided", real, REGIME_CELLS),
            *_split("By trading session", real, SESSION_CELLS),
            *_reliability(real),
        ]
    )


def _introduction(origin: Origin, real: Study) -> Iterator[str]:
    yield "## Each of the fourteen strategies, and the fused decision\n"
    yield (
        f"{len(origin.markets)} pairs ({', '.join(origin.markets)}), 1h candles of {origin.source} that closed "
        f"from {origin.start:%Y-%m-%d} to before {origin.end:%Y-%m-%d} UTC; 4h and 1d are the folder's, or made of "
        f"them. Every signal counts on its own, however many overlap: decided at a close, entered at the next open, "
        f"ended by its stop, its target or after {HORIZON_BARS} hours. Costs: "
        f"{_costs(origin.markets)}. R is the result after costs in units of the "
        "planned risk; a hit is an R above zero.\n"
    )
    yield (
        "Strategies are read on 1h candles; `pairs_trading` is given the first pair as partner (the first pair "
        f"the second). `{FUSED}` is the published decision over 1h, 4h and 1d windows of 500 bars, with stops by "
        f"the volatility forecast and a partner as live, both made of the 90 days before and anew every "
        f"{REFIT_DAYS} days (live: daily): {_every(origin.every)}, {real.decisions:,} decisions. No other "
        "parameter was fitted to these candles by this command, and nothing here was left out.\n"
    )
    yield (
        "The random walk has the times, first price, volatility and (shuffled) volumes of each pair, and "
        "nothing to be found: what a strategy earns there is costs and chance. Walks are independent of each "
        "other, so `pairs_trading` finds no pair in them. Intervals are 95 % of the mean, as if trades were "
        "independent; they overlap and markets move together, so the truth is wider.\n"
    )


def _costs(markets: Sequence[str]) -> str:
    """Of each kind of asset among them, which is named where there are several."""
    kinds = sorted({asset_class_of(market) for market in markets})
    told = []
    for kind in kinds:
        rates = rates_for(kind)
        words = f"taker {rates.taker_bps} bps, maker {rates.maker_bps} bps, slippage {rates.slippage_bps} bps"
        told.append(f"{kind} {words}" if len(kinds) > 1 else words)
    return "; ".join(told)


def _every(step: int) -> str:
    return "decided at each close" if step == 1 else f"decided at every {step}th close (a sample)"


def _overview(real: Study, walk: Study) -> Iterator[str]:
    yield "### Real candles and a random walk\n"
    yield (
        "| strategy | signals | hit rate | mean R | 95 % | distinct confidences "
        "| walk: signals | hit rate | mean R | 95 % |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for name in NAMES:
        trades = real.trades[name]
        distinct = len(np.unique(trades.confidence))
        yield f"| {name} | {_figures(trades)} | {distinct} | {_figures(walk.trades[name])} |"
    gaining = [name for name in NAMES if _low(real.trades[name]) > 0]
    yield ""
    yield (
        f"After costs, {_list(gaining)} earned more than nothing by this measure"
        if gaining
        else "After costs, no strategy's interval lies above zero: none is shown to earn anything"
    ) + "."
    better = [name for name in NAMES if _low(real.trades[name]) > _high(walk.trades[name])]
    yield (
        f"Clearly better than on the walk: {_list(better)}; of so many, one may be so by chance.\n"
        if better
        else "None is clearly better than on the walk.\n"
    )


def _silent(real: Study) -> Iterator[str]:
    rare = [name for name in NAMES if len(real.trades[name]) < FEW]
    if rare:
        yield f"#### Fewer than {FEW} signals\n"
    for name in rare:
        why = real.missing.get(name, "its condition was met so rarely")
        yield f"- {name}: {len(real.trades[name])} signals; {why}"
    yield ""


def _split(title: str, real: Study, cells: Sequence[Cell]) -> Iterator[str]:
    yield f"### {title}\n"
    yield "Mean R after costs, hit rate, (signals).\n"
    yield f"| strategy | {' | '.join(label for label, _ in cells)} |"
    yield f"|---|{'--:|' * len(cells)}"
    for name in NAMES:
        shown = (_cell(choose(real.trades[name])) for _, choose in cells)
        yield f"| {name} | {' | '.join(shown)} |"
    yield ""


def _reliability(real: Study) -> Iterator[str]:
    yield "### Reliability of confidence (uncalibrated)\n"
    yield (
        "Confidence is a ranking, not yet a probability. Each cell: hit rate of the signals whose confidence "
        "lies in that range, (signals). A calibrated strategy would hit as often as its column says.\n"
    )
    steps = list(pairwise(CONFIDENCE_STEPS))
    yield f"| strategy | {' | '.join(f'{low:.1f}–{high:.1f}' for low, high in steps)} |"
    yield f"|---|{'--:|' * len(steps)}"
    for name in NAMES:
        trades = real.trades[name]
        place = np.clip(
            np.searchsorted(CONFIDENCE_STEPS, trades.confidence, side="right") - 1, 0, len(steps) - 1
        )
        cells = [trades.r_multiple[place == number] for number in range(len(steps))]
        yield f"| {name} | {' | '.join(f'{win_rate(r):.0%} ({len(r)})' if len(r) else '–' for r in cells)} |"
    yield ""


def _figures(trades: Trades) -> str:
    if not len(trades):
        return "0 | – | – | –"
    r = trades.r_multiple
    return (
        f"{len(r):,} | {win_rate(r):.1%} | {expectancy(r):+.3f} | {_low(trades):+.3f} to {_high(trades):+.3f}"
    )


def _cell(trades: Trades) -> str:
    r = trades.r_multiple
    return f"{expectancy(r):+.2f}, {win_rate(r):.0%} ({len(r)})" if len(r) else "–"


def _low(trades: Trades) -> float:
    return expectancy(trades.r_multiple) - _half_interval(trades)


def _high(trades: Trades) -> float:
    return expectancy(trades.r_multiple) + _half_interval(trades)


def _half_interval(trades: Trades) -> float:
    if len(trades) < FEW:
        return float("inf")
    return 1.96 * float(trades.r_multiple.std(ddof=1)) / float(np.sqrt(len(trades)))


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

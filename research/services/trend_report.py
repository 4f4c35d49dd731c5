"""The trend rule's part of `docs/strategies.md`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isfinite

import numpy as np

from research.services.trend_study import Curve, Results, TrendStudy
from signals.engine.evidence import FEWEST_OUTCOMES
from signals.engine.in_words import share_of_profit, trend_sentence
from signals.engine.moment import instant, milliseconds
from signals.engine.trend import FROZEN, FROZEN_ON, TrendSettings

# Of the study that chose the rule (references in signals/engine/candidates.py); alone |t| of 4.1 would pass then.
CONFIGURATIONS_TRIED = 1_340
PERIODS = (
    ("2018–21", 2018, 2021),
    ("2022–23", 2022, 2023),
    ("2024", 2024, 2024),
    ("2025", 2025, 2025),
    ("2024–25", 2024, 2025),
)


def render_trend(study: TrendStudy, *, since: datetime | None) -> Iterator[str]:
    yield "## The trend rule\n"
    yield (
        "A 4h close at the highest of L closes is bought at the next open; the stop stands k × ATR(14) below the "
        "highest close since, never lower; no target; out after 120 bars at the latest; one position a pair; long "
        "only. R is (return on the entry price − costs) / (risk / close). Costs are 24 bps a round trip. Intervals "
        "are 95 % of the mean with weeks as clusters, since pairs move together.\n"
    )
    yield (
        f"**Frozen on {FROZEN_ON:%Y-%m-%d}: L = {FROZEN.lookback}, k = {FROZEN.trail_atr:g}**, for being the "
        f"centre of a plateau. About {CONFIGURATIONS_TRIED:,} configurations had been tried by then; what is shown of "
        "years before that day is no test of the rule. Outcomes before 2024 chose it; 2024 and 2025 judged it.\n"
    )
    yield from _beginning(study, since)
    yield from _sentence(study)
    for settings in study.settings:
        yield from _by_period(settings, study)
    yield from _costs(study)
    yield from _by_year(study)
    yield from _portfolios(study, since)


def _beginning(study: TrendStudy, since: datetime | None) -> Iterator[str]:
    begins = {name: each for name, each in study.begins.items() if each}
    silent = [name for name, each in study.begins.items() if not each]
    if begins:
        first, last = min(begins.values()), max(begins.values())
        asked = f"; decisions are counted from {since:%Y-%m-%d} on" if since else ""
        warmed = f"from {first:%Y-%m-%d %H:%M} UTC" + (
            f" (the youngest pair from {last:%Y-%m-%d %H:%M})" if last > first else ""
        )
        yield f"The candles begin so that the rule can decide {warmed}{asked}.\n"
    if silent:
        yield f"Too few candles to decide at all: {', '.join(silent)}.\n"


def _sentence(study: TrendStudy) -> Iterator[str]:
    net = study.results[FROZEN]["the rule"].net
    if len(net) >= FEWEST_OUTCOMES:
        yield f"> {trend_sentence(net)}\n"


def _years(results: Results) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return results.closed_at.astype("datetime64[ms]").astype("datetime64[Y]").astype(np.int64) + 1970


def _spans(study: TrendStudy) -> Sequence[tuple[str, int, int]]:
    years = np.unique(_years(study.results[FROZEN]["always long, same exits"]))
    known = [span for span in PERIODS if ((years >= span[1]) & (years <= span[2])).any()]
    later = [(str(year), int(year), int(year)) for year in years if year > PERIODS[-1][2]]
    return [*known, *later]


def _by_period(settings: TrendSettings, study: TrendStudy) -> Iterator[str]:
    spans = _spans(study)
    frozen = " (frozen)" if settings == FROZEN else ""
    yield f"### L = {settings.lookback}, k = {settings.trail_atr:g}{frozen}: mean R after costs\n"
    yield f"| entries | {' | '.join(name for name, _, _ in spans)} |"
    yield f"|---|{'--:|' * len(spans)}"
    for name, results in study.results[settings].items():
        years = _years(results)
        cells = [_cell(results.chosen((years >= first) & (years <= last))) for _, first, last in spans]
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _cell(results: Results) -> str:
    if not len(results):
        return "–"
    found = results.measured()
    low, high = found.interval
    interval = f" [{low:+.2f}, {high:+.2f}]" if isfinite(low) else ""
    return f"{found.mean:+.3f}{interval}, {(results.net > 0).mean():.1%} hits ({found.n})"


def _costs(study: TrendStudy) -> Iterator[str]:
    yield "### Gross, cost and net\n"
    yield "| entries | trades | gross R | cost R | net R | hits | median R | median hours held | best 5 % of trades |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for settings in study.settings:
        for name, results in study.results[settings].items():
            if len(results):
                yield f"| {name}, k = {settings.trail_atr:g} | {_figures(results)} |"
    yield "\nThe last column is their share of the sum of all results; where that sum is not positive it has none.\n"


def _figures(results: Results) -> str:
    gross, net = results.gross.mean(), results.net.mean()
    share = share_of_profit(results.net)
    return (
        f"{len(results):,} | {gross:+.3f} | {gross - net:.3f} | {net:+.3f} | {(results.net > 0).mean():.1%} | "
        f"{np.median(results.net):+.2f} | {np.median(results.hours):.0f} | {f'{share:.0%}' if isfinite(share) else '–'}"
    )


def _by_year(study: TrendStudy) -> Iterator[str]:
    results = study.results[FROZEN]["the rule"]
    years = _years(results)
    yield "### The frozen rule by year\n"
    yield "| year | mean R, 95 %, hits (trades) |"
    yield "|---|--:|"
    for year in np.unique(years):
        yield f"| {year} | {_cell(results.chosen(years == year))} |"
    yield ""


def _portfolios(study: TrendStudy, since: datetime | None) -> Iterator[str]:
    start = since or datetime(1970, 1, 1, tzinfo=UTC)
    curves = {name: _from(curve, start) for name, curve in study.curves.items()}
    days = [len(curve.days) for curve in curves.values()]
    if not days or min(days) < 2:
        return
    spans = [(name, first, last) for name, first, last in _spans(study)]
    yield "### As a portfolio\n"
    yield (
        "Each trade risks 1 % of the equity and holds at most an equal share of it. Annual Sharpe ratio of daily "
        "returns / worst drawdown.\n"
    )
    yield f"| | {' | '.join(name for name, _, _ in spans)} |"
    yield f"|---|{'--:|' * len(spans)}"
    for name, curve in curves.items():
        cells = (_span_figures(curve, first, last) for _, first, last in spans)
        yield f"| {name} | {' | '.join(cells)} |"
    yield "\nWhat is robust is the smaller drawdown: promise risk, not return.\n"


def _from(curve: Curve, start: datetime) -> Curve:
    kept = curve.days >= milliseconds(start)
    return Curve(curve.days[kept], curve.returns[kept])


def _span_figures(curve: Curve, first: int, last: int) -> str:
    years = np.array([instant(int(day)).year for day in curve.days])
    chosen = (years >= first) & (years <= last)
    if chosen.sum() < 2:
        return "–"
    sharpe, drawdown = curve.figures(chosen)
    return f"{sharpe:.2f} / {-abs(drawdown):.0%}"

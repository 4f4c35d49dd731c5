"""`docs/honesty.md`: what the tools against luck say where the truth is known."""

from collections.abc import Iterator
from dataclasses import dataclass

from research.services.honesty_study import (
    DAYS,
    LONG,
    PLANTED_SHARPE,
    SHORT,
    TRIALS,
    UNITS_A_DAY,
    YEAR,
    Experiments,
)

FEW = 200


@dataclass(frozen=True, slots=True)
class Figure:
    question: str
    found: str
    goal: str
    reached: bool


def figures(found: Experiments) -> list[Figure]:
    """Every figure with its goal."""
    return [
        *_selection(found),
        *_mistakes(found),
        *_edge(found),
        *_overfitting(found),
        *_tests(found),
        *_portfolios(found),
    ]


def render(found: Experiments, *, command: str, commit: str, seconds: float) -> str:
    """The whole page, Markdown."""
    return "\n".join([*_introduction(command, commit, seconds), *_table(figures(found)), *_notes(found)])


def _introduction(command: str, commit: str, seconds: float) -> Iterator[str]:
    yield "# What the tools against luck say where the truth is known\n"
    yield f"Written by `{command}`, commit {commit}, in {seconds:.0f} s; do not edit.\n"
    yield (
        "Any optimiser finds a Sharpe ratio of 3. These experiments ask the engines that judge a backtest, a "
        "portfolio and an A/B test about simulated data, because only of them is the truth known: where there is "
        "nothing, they must say so, and where something was planted, they must find it. Sharpe ratios are per "
        "period, returns normal unless said otherwise.\n"
    )


def _table(rows: list[Figure]) -> Iterator[str]:
    yield "| question | found | goal | |"
    yield "|---|--:|--:|---|"
    for row in rows:
        yield f"| {row.question} | {row.found} | {row.goal} | {'reached' if row.reached else '**MISSED**'} |"
    yield ""


def _selection(found: Experiments) -> Iterator[Figure]:
    for name, noise, seeds in (
        ("", found.noise, found.seeds),
        (", more seeds", found.noise_of_many, found.many_seeds),
    ):
        ratio = float(noise.sharpe.mean()) / noise.expected_best
        believed = noise.believed()
        yield Figure(
            f"Best of {TRIALS} noise strategies over {LONG} periods ({seeds:,} seeds): mean best Sharpe ratio / "
            "`expected_maximum_sharpe`",
            f"{noise.sharpe.mean():.4f} / {noise.expected_best:.4f} = {ratio:.3f}",
            "0.95 to 1.05",
            0.95 <= ratio <= 1.05,
        )
        yield Figure(
            f"The same{name}: deflated Sharpe ratio above 0.95", f"{believed:.2%}", "≤ 1 %", believed <= 0.01
        )
    believed = found.short_noise.believed()
    yield Figure(
        f"Best of {TRIALS} over {SHORT} periods ({found.many_seeds:,} seeds): deflated Sharpe ratio above 0.95",
        f"{believed:.2%}",
        "≤ 1 %",
        believed <= 0.01,
    )


def _mistakes(found: Experiments) -> Iterator[Figure]:
    for words, share in (
        (f"nine of ten trials forgotten, {LONG} periods", found.noise_of_many.believed(trials=0.1)),
        (
            f"the trials' variance taken for annual and divided by {YEAR}, {LONG} periods",
            found.noise_of_many.believed(variance=1 / YEAR),
        ),
        (
            f"excess kurtosis given for kurtosis, {SHORT} periods, of which a wrong tail changes most",
            found.short_noise.believed(kurtosis=-3.0),
        ),
    ):
        yield Figure(
            f"Mistake on noise ({found.many_seeds:,} seeds): {words}: above 0.95",
            f"{share:.2%}",
            "> 1 %",
            share > 0.01,
        )


def _edge(found: Experiments) -> Iterator[Figure]:
    for planted, seeds in ((found.planted, found.seeds), (found.planted_of_many, found.many_seeds)):
        believed = planted.believed()
        yield Figure(
            f"A Sharpe ratio of {PLANTED_SHARPE} planted in one of {TRIALS} over {LONG} periods ({seeds:,} seeds): "
            "above 0.95",
            f"{believed:.1%}",
            "≥ 80 %",
            believed >= 0.8,
        )
    lost = found.planted_of_many.believed(variance=YEAR)
    yield Figure(
        f"The same with an annual variance ({YEAR} times too large): the edge is lost",
        f"{lost:.1%}",
        "< 80 %",
        lost < 0.8,
    )


def _overfitting(found: Experiments) -> Iterator[Figure]:
    noise, planted = found.overfitting_of_noise, found.overfitting_of_planted
    yield Figure(
        f"Probability of backtest overfitting, mean of {len(noise)} noise matrices (240 x 30, 10 blocks)",
        f"{noise.mean():.3f}",
        "0.4 to 0.6",
        bool(0.4 <= noise.mean() <= 0.6) and len(noise) >= FEW,
    )
    yield Figure(
        f"The same with a Sharpe ratio of {2 * PLANTED_SHARPE} planted in one of the 30",
        f"{planted.mean():.3f}",
        "< 0.1",
        bool(planted.mean() < 0.1),
    )


def _tests(found: Experiments) -> Iterator[Figure]:
    for name, peeked in found.peeked.items():
        looks = f"{found.tests:,} tests, looked at on each of {DAYS} days"
        yield Figure(
            f"A/A by {name} ({looks}): called different by the confidence sequence",
            f"{peeked.false_by_sequence:.1%}",
            "≤ 5 %",
            peeked.false_by_sequence <= 0.05,
        )
        yield Figure(
            f"A/A by {name}: by a naive t-test",
            f"{peeked.false_by_t_test:.1%}",
            "> 15 %",
            peeked.false_by_t_test > 0.15,
        )
        yield Figure(
            f"A/B by {name}, a difference of {peeked.true_difference:g}: found by the sequence",
            f"{peeked.true_by_sequence:.1%}",
            "≥ 80 %",
            peeked.true_by_sequence >= 0.8,
        )


def _portfolios(found: Experiments) -> Iterator[Figure]:
    yield Figure(
        f"Five assets that are alike, {found.portfolios} histories of 480 periods: the verdict is “prefer 1/N”",
        f"{found.even_portfolios:.1%}",
        "≥ 95 %",
        found.even_portfolios >= 0.95,
    )


def _notes(found: Experiments) -> Iterator[str]:
    yield (
        f"“Above 0.95” is the share of seeds in which the best of the {TRIALS} trials is believed. The deflated "
        "figure takes the number of trials and the variance of their Sharpe ratios as they are; a mistake gives "
        "it something else. An answer that is refused, because no returns have such moments, counts as not "
        "believed.\n"
    )
    yield (
        f"Each arm of a test gets about {UNITS_A_DAY} units a day. Hits are of 42 %; R is -1 or 1.5, sometimes 4, "
        "less costs; an acted share is of ten signals, each subscriber with an inclination of his own. Here each "
        "metric is tested alone at 5 %; `ab_test.judge` shares the 5 % among all comparisons of an experiment, "
        "so that it finds less by chance.\n"
    )
    yield (
        "Not shown here: that trials of a real search are as independent as these. Where they are not, the "
        "deflated figure is too strict rather than too kind, because related trials are counted as if each were "
        "a chance of its own."
    )

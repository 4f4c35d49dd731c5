"""The model card of candle files: what the selector would have known of them, as Markdown, whatever it is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autopilot.engine.bootstrap import HORIZON, LOOK_BARS, TrainingMarket, collect_samples, thinned
from autopilot.engine.group_vote import vote_weight
from autopilot.engine.groups import GROUP_ORDER
from autopilot.engine.model_card import model_metrics
from autopilot.services.challenger import proof
from autopilot.services.training_run import MOST_ROWS, Fit
from signals.engine.candle import OHLCV
from signals.engine.quality import inspect
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.market.providers.candle_file import FileRefusedError, Reading, read_candle_file

Progress = Callable[[int, int, str], None]
HEADERS = (
    "",
    "n",
    "log-loss: model",
    "class frequencies",
    "best-paid group",
    "rules",
    "least gain over all",
    "R a decision: model",
    "best-paid group",
    "rules",
)


def report_on_files(
    *, folder: Path, timeframes: Sequence[Timeframe], pairs: int, fit: Fit, progress: Progress
) -> str:
    """Of each timeframe the `pairs` with most candles; FileRefusedError when the folder has none."""
    parts = [_head(folder, timeframes, pairs)]
    steps = len(timeframes) * (pairs + 1)
    for number, timeframe in enumerate(timeframes):
        parts.append(_judged(folder, timeframe, pairs, fit, _from(progress, number * (pairs + 1), steps)))
    return "\n".join(parts) + "\n"


def _judged(
    folder: Path, timeframe: Timeframe, pairs: int, fit: Fit, told: Callable[[int, str], None]
) -> str:
    markets = most_history(folder, timeframe, pairs)
    samples = collect_samples(
        markets, timeframe=timeframe, on_market=lambda place, name: told(place, f"samples of {name}")
    )
    collected, samples = len(samples), thinned(samples, MOST_ROWS)
    told(pairs, f"fits {len(samples)} samples of {timeframe}")
    fitted = fit(samples, lambda part, total: told(pairs, f"part {part} of {total} of the fit"))
    card = model_metrics(samples, fitted.judged, fitted.judged_rows, fitted.importance)
    card["vote_weight"] = vote_weight(markets, timeframe, samples, fitted.judged, fitted.judged_rows)
    return _section(timeframe, card, collected, proof(fitted, samples.horizon_ms))


def _from(progress: Progress, done: int, steps: int) -> Callable[[int, str], None]:
    return lambda place, message: progress(done + place, steps, message)


def most_history(folder: Path, timeframe: Timeframe, pairs: int) -> list[TrainingMarket]:
    """Spot pairs of the folder by how many candles they have; traded long only, with spot costs."""
    found = []
    for path in sorted(folder.glob(f"*_{timeframe.value}.parquet")):
        raw = read_candle_file(path, symbol=None, said=Reading()).candles
        if len(raw):
            end = timeframe.close_time(int(raw.open_time[-1]))
            candles: OHLCV = inspect(raw, timeframe, end)[0]
            found.append(TrainingMarket(path.stem.rsplit("_", 1)[0], candles, can_short=False))
    if not found:
        raise FileRefusedError(folder, f"it holds no file *_{timeframe.value}.parquet with candles")
    return sorted(found, key=lambda each: (-len(each.candles), each.name))[:pairs]


def _head(folder: Path, timeframes: Sequence[Timeframe], pairs: int) -> str:
    asked = " ".join(f"--timeframe {each.value}" for each in timeframes)
    return f"""# The selector's model card

Written by `manage.py report_model_card --data {folder.name} {asked} --pairs {pairs} --markdown docs/model-card.md`.

The model ranks the five groups of strategies by the probability that each pays best. A sample is a close: its label
is the group whose trades, opened on the next {LOOK_BARS} bars and followed to stop, target or time by the fill code,
made most R on the mean, after costs. Spot pairs are traded long only. Every figure is walk-forward: trained on the
past, less what reaches into the judged rows ({HORIZON} bars are purged). A model may decide only where its gain in
log-loss over every baseline has a one-sided 99 % lower bound above zero, by blocks of that horizon, and so has what its
choices made over what the baselines' made: a group that does not trade cannot pay best, and knowing which will trade
lowers the log-loss without earning anything.
"""


def _section(timeframe: Timeframe, card: dict[str, Any], collected: int, judged: tuple[bool, str]) -> str:
    verdict = "Promoted" if judged[0] else "Not promoted"
    lines = [
        f"## {timeframe.value}: {verdict.lower()}",
        "",
        f"{verdict}: {judged[1]}.",
        "",
        f"{', '.join(card['instruments'])}; {collected:,} samples, of which {card['samples']:,} were fitted.",
        "",
        f"| {' | '.join(HEADERS)} |",
        f"|---|{'---:|' * (len(HEADERS) - 1)}",
        _row("all", card["out_of_sample"]),
        *(_row(str(each["year"]), each) for each in card["by_year"]),
        "",
        "| group | paid best | mean calibrated out of |",
        "|---|---:|---:|",
        *_groups(card),
        "",
        _results(card["result_gain_bounds"]),
        "",
        _reliability(card["reliability"]),
        "",
        _firing(card["firing"]),
        "",
        _vote(timeframe, card["vote_weight"]),
        "",
        f"It looks most at {_largest(card['importance'])}. {_moved(card['drift']['index'])}",
        "",
    ]
    return "\n".join(lines)


def _row(name: str, measured: dict[str, Any]) -> str:
    bounds = [measured[f"{each}_gain_bound"] for each in ("majority", "best_group", "rules")]
    known = [bound for bound in bounds if bound is not None]
    losses = [measured[f"{each}log_loss"] for each in ("", "majority_", "best_group_", "rules_")]
    results = [measured[f"{each}_result"] for each in ("model", "best_group", "rules")]
    cells = [
        name,
        f"{measured['n']:,}",
        *(_number(each, ".4f") for each in losses),
        _number(min(known) if known else None, "+.4f"),
        *(_number(each, "+.3f") for each in results),
    ]
    return f"| {' | '.join(cells)} |"


def _groups(card: dict[str, Any]) -> list[str]:
    total = sum(card["class_counts"]) or 1
    return [
        f"| {group.value.replace('_', ' ')} | {count / total:.1%} | "
        f"{each['n']:,} outcomes, {each['method']}, base rate {each['base_rate']:.1%} |"
        for group, count, each in zip(GROUP_ORDER, card["class_counts"], card["calibrations"], strict=True)
    ]


def _results(bounds: dict[str, float | None]) -> str:
    told = ", ".join(f"{name} {_number(each, '+.3f')} R" for name, each in bounds.items())
    return f"Least gain of its choices a decision (99 %) over: {told or 'nothing that could be computed'}."


def _reliability(found: dict[str, Any]) -> str:
    return (
        f"Calibrated P(a group's trades end above zero): wrong by {_share(found['error'])} on the mean over "
        f"{found['n']:,} outcomes of the newer half; the rank, were it read as that, by {_share(found['raw_error'])}."
    )


def _moved(index: dict[str, float | None]) -> str:
    return f"Moved most: {_largest(index)} (population stability index; above 0.25 a feature has shifted)."


def _firing(firing: dict[str, Any]) -> str:
    counts = ", ".join(f"{threshold:.2f}: {count:,}" for threshold, count in firing["counts"] if count)
    weekly = firing["weekly"]
    offered = "" if weekly is None else f" About weekly on one instrument: {weekly:.3f}."
    return (
        f"In the last {firing['days']:.0f} days out of sample {firing['spoken']:,} decisions spoke; "
        f"thresholds reached: {counts or 'none'}.{offered}"
    )


def _vote(timeframe: Timeframe, weight: float) -> str:
    if timeframe is not BASE_TIMEFRAME:
        return f"It has no vote in the fused decision, whose votes are of {BASE_TIMEFRAME.value}."
    return (
        f"Weight of its vote in the fused decision, were it champion: {weight:.2f}, its share of the mix with the "
        "rules that has the highest Sharpe ratio out of sample."
    )


def _largest(values: dict[str, float | None], most: int = 5) -> str:
    known = sorted(((each, name) for name, each in values.items() if each is not None), reverse=True)
    return ", ".join(f"{name.replace('_', ' ')} ({each:.2f})" for each, name in known[:most])


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"

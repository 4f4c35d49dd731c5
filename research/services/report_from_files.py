"""The report from candle files: the trend rule, the strategies, and random walks of the same volatility."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from research.services.reasons_report import render_reasons
from research.services.reasons_study import Lengths, study_reasons
from research.services.strategy_report import Origin, render
from research.services.strategy_study import random_walks, study
from research.services.trend_report import render_trend
from research.services.trend_study import MAJORS, study_trend
from signals.engine.candle import OHLCV
from signals.engine.moment import instant, milliseconds
from signals.engine.quality import inspect
from signals.engine.timeframe import Timeframe, resample
from signals.engine.trend import TIMEFRAME
from signals.market.providers.candle_file import FileRefusedError, Reading, read_candle_file

WALK_SEED = 2025
STRATEGY_DAYS = 365


def report_from_files(
    *,
    folder: Path,
    pairs: Sequence[str],
    start: datetime | None,
    end: datetime | None,
    every: int,
    with_strategies: bool,
    progress: Callable[[int, int, str], None],
) -> str:
    """The report as Markdown; FileRefusedError when a file of `pairs` (all of the folder without any) cannot be read.

    The trend rule is judged from `start` to `end`; the fourteen strategies and the fused decision, which take
    longer, over that stretch's last STRATEGY_DAYS.
    """
    pairs = list(pairs) or pairs_in(folder)
    hours_of = [pair for pair in pairs if _stored(folder, pair, Timeframe.H1)]
    with_strategies = with_strategies and bool(hours_of)
    steps = 3 + len(pairs) + 2 * len(hours_of) * with_strategies
    told = iter(range(steps))

    def tell(step: str) -> None:
        progress(next(told, steps), steps, step)

    longer = {pair: load_longer(folder, pair, end) for pair in pairs}
    asked = _command(folder, start, end, every if with_strategies else None)
    page = [f"Written by `{asked}`, commit {commit()}; do not edit.\n"]
    page += render_trend(study_trend(longer, since=start, on_step=tell), since=start)
    lengths = {pair: {TIMEFRAME: longer[pair], **others(folder, pair, end, longer[pair])} for pair in pairs}
    page += render_reasons(study_reasons(lengths, since=milliseconds(start) if start else None, on_step=tell))
    if with_strategies:
        page.append(_strategies(folder, hours_of, lengths, start, end, every, tell))
    elif not hours_of:
        page.append(
            "The folder holds no 1h candles, which the fourteen strategies are read on: they are left out.\n"
        )
    return "# What the strategies did on recorded candles\n\n" + "\n".join(page)


def _strategies(
    folder: Path,
    pairs: Sequence[str],
    lengths: Mapping[str, Lengths],
    start: datetime | None,
    end: datetime | None,
    every: int,
    tell: Callable[[str], None],
) -> str:
    markets = {pair: lengths[pair][Timeframe.H1] for pair in pairs}
    last = max(int(each.open_time[-1]) for each in markets.values() if len(each))
    until = end or instant(last + Timeframe.H1.milliseconds)
    begin = max(start or until - timedelta(days=STRATEGY_DAYS), until - timedelta(days=STRATEGY_DAYS))
    real = study(markets, longer=lengths, start=begin, end=until, every=every, on_market=tell)
    walks = random_walks(markets, seed=WALK_SEED)
    walk = study(walks, start=begin, end=until, every=every, on_market=lambda pair: tell(f"{pair} walk"))
    origin = Origin(
        command=_command(folder, start, end, every),
        commit=commit(),
        markets=pairs,
        start=begin,
        end=until,
        every=every,
        source=folder.name,
    )
    return render(origin, real, walk)


def _command(folder: Path, start: datetime | None, end: datetime | None, every: int | None) -> str:
    """every: None where the strategies are left out."""
    asked = [f"--from {start:%Y-%m-%d}" if start else "", f"--to {end:%Y-%m-%d}" if end else ""]
    last = "--trend-only" if every is None else f"--every {every}"
    words = ["manage.py report_strategies", f"--data {folder.name}", *filter(None, asked), last]
    return " ".join(words)


def pairs_in(folder: Path) -> list[str]:
    """Pairs of which the folder has 4h or 1h candles, the majors first; FileRefusedError for none."""
    found = {
        path.name.rsplit("_", 1)[0]
        for timeframe in (TIMEFRAME, Timeframe.H1)
        for path in folder.glob(f"*_{timeframe.value}.*")
    }
    if not found:
        raise FileRefusedError(folder, "holds no candles: <PAIR>_4h.parquet or <PAIR>_1h.parquet")
    order = [base for base in MAJORS for pair in found if pair.startswith(base)]
    return sorted(
        found, key=lambda pair: (next((order.index(b) for b in order if pair.startswith(b)), 99), pair)
    )


def load_longer(folder: Path, pair: str, end: datetime | None) -> OHLCV:
    """4h candles of the pair's file, else made of its 1h candles."""
    if path := _stored(folder, pair, TIMEFRAME):
        return load(path, TIMEFRAME, end)
    return resample(load(file_of(folder, pair, Timeframe.H1), Timeframe.H1, end), TIMEFRAME, Timeframe.H1)


def others(folder: Path, pair: str, end: datetime | None, longer: OHLCV) -> Lengths:
    """1h candles where the pair has them; 1d of its file, else made of `longer`, its 4h candles."""
    found = {}
    if path := _stored(folder, pair, Timeframe.H1):
        found[Timeframe.H1] = load(path, Timeframe.H1, end)
    path = _stored(folder, pair, Timeframe.D1)
    days = load(path, Timeframe.D1, end) if path else resample(longer, Timeframe.D1, TIMEFRAME)
    return {**found, Timeframe.D1: days}


def file_of(folder: Path, pair: str, timeframe: Timeframe) -> Path:
    return _stored(folder, pair, timeframe) or folder / f"{pair}_{timeframe.value}.parquet"


def _stored(folder: Path, pair: str, timeframe: Timeframe) -> Path | None:
    return next(iter(sorted(folder.glob(f"{pair}_{timeframe.value}.*"))), None)


def load(path: Path, timeframe: Timeframe, end: datetime | None) -> OHLCV:
    """The file's candles that closed by `end`, all without one."""
    raw = read_candle_file(path, symbol=None, said=Reading()).candles
    newest = int(raw.open_time.max()) + timeframe.milliseconds if len(raw) else 0
    candles, _ = inspect(raw, timeframe, milliseconds(end) if end else newest)
    return candles


def commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(asked, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() or "unknown"

"""The strategies' report from candle files: real markets, then random walks of the same volatility."""

import subprocess
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from django.conf import settings

from research.services.strategy_report import Origin, render
from research.services.strategy_study import random_walks, study
from signals.engine.candle import OHLCV
from signals.engine.quality import inspect
from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file import Reading, read_candle_file

WALK_SEED = 2025


def report_from_files(
    *,
    folder: Path,
    pairs: Sequence[str],
    start: datetime,
    end: datetime,
    every: int,
    progress: Callable[[int, int, str], None],
) -> str:
    """The report as Markdown; FileRefusedError when a file `<PAIR>_1h.parquet` cannot be read."""
    version = commit()
    markets = {pair: load(folder / f"{pair}_1h.parquet", end) for pair in pairs}
    told = iter(range(2 * len(markets)))

    def tell(market: str) -> None:
        progress(next(told), 2 * len(markets), market)

    real = study(markets, start=start, end=end, every=every, on_market=tell)
    walks = random_walks(markets, seed=WALK_SEED)
    walk = study(walks, start=start, end=end, every=every, on_market=lambda pair: tell(f"{pair} walk"))
    origin = Origin(
        command=f"manage.py report_strategies --data {folder.name} --every {every}",
        commit=version,
        markets=pairs,
        start=start,
        end=end,
        every=every,
        source=folder.name,
    )
    return render(origin, real, walk)


def load(path: Path, end: datetime) -> OHLCV:
    """The file's 1h candles that closed by `end`."""
    raw = read_candle_file(path, symbol=None, said=Reading()).candles
    candles, _ = inspect(raw, Timeframe.H1, int(end.timestamp() * 1000))
    return candles


def commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(asked, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() or "unknown"

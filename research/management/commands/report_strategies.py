"""`manage.py report_strategies`: a year of candles, each strategy and the fused decision, as a Markdown page."""

import subprocess
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from research.services.strategy_report import Origin, render
from research.services.strategy_study import random_walks, study
from signals.engine.candle import OHLCV
from signals.engine.quality import inspect
from signals.engine.timeframe import Timeframe
from signals.market.management.commands.backfill import parse_instant
from signals.market.providers.candle_file import FileRefusedError, read_candle_file

PAIRS = ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "AVAX", "LINK", "DOT")
WALK_SEED = 2025


class Command(BaseCommand):
    help = (
        "Report what each strategy and the fused decision did on candle files, beside random walks of the same "
        "volatility. Nothing is stored: the report is computed from the files alone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data", type=Path, required=True, metavar="FOLDER", help="holds <PAIR>_1h.parquet"
        )
        parser.add_argument("--pairs", nargs="+", default=[f"{base}USDT" for base in PAIRS], metavar="PAIR")
        parser.add_argument(
            "--from", dest="start", type=parse_instant, default=parse_instant("2025-01-01"), metavar="DATE"
        )
        parser.add_argument(
            "--to", dest="end", type=parse_instant, default=parse_instant("2026-01-01"), metavar="DATE"
        )
        parser.add_argument(
            "--every", type=int, default=1, help="decide (fused) at each n-th close only; 7 takes minutes"
        )
        parser.add_argument("--markdown", type=Path, help="write the report here instead of showing it")

    def handle(
        self,
        *args: Any,
        data: Path,
        pairs: list[str],
        start: datetime,
        end: datetime,
        every: int,
        markdown: Path | None,
        **options: Any,
    ) -> None:
        if start >= end or every < 1:
            raise CommandError("--from must be before --to, and --every at least 1.")
        version = commit()
        markets = {pair: load(data / f"{pair}_1h.parquet", end) for pair in pairs}
        real = study(markets, start=start, end=end, every=every, on_market=self._tell)
        walks = random_walks(markets, seed=WALK_SEED)
        walk = study(
            walks, start=start, end=end, every=every, on_market=lambda pair: self._tell(f"{pair} walk")
        )
        origin = Origin(
            command=f"manage.py report_strategies --data {data.name} --every {every}",
            commit=version,
            markets=pairs,
            start=start,
            end=end,
            every=every,
            source=data.name,
        )
        report = render(origin, real, walk)
        if markdown:
            markdown.write_text(report)
        else:
            self.stdout.write(report)

    def _tell(self, market: str) -> None:
        self.stderr.write(market)


def load(path: Path, end: datetime) -> OHLCV:
    """The file's 1h candles that closed by `end`; CommandError when it cannot be read or bars are refused."""
    try:
        raw = read_candle_file(path, symbol=None, price_scale=None, timezone=ZoneInfo("UTC")).candles
    except FileRefusedError as error:
        raise CommandError(str(error)) from error
    candles, _ = inspect(raw, Timeframe.H1, int(end.timestamp() * 1000))
    return candles


def commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(asked, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() or "unknown"

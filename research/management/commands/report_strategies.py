"""`manage.py report_strategies`: a year of candles, each strategy and the fused decision, as a Markdown page."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from research.tasks import report_strategies
from signals.management.job_command import JobCommand, parse_instant
from signals.market.providers.candle_file import FileRefusedError

PAIRS = ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "AVAX", "LINK", "DOT")


class Command(JobCommand):
    help = (
        "Report what each strategy and the fused decision did on candle files, beside random walks of the same "
        "volatility. It is computed from the files alone; of it only the job is stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
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
        background: bool,
        **options: Any,
    ) -> None:
        if start >= end or every < 1:
            raise CommandError("--from must be before --to, and --every at least 1.")
        parameters = {
            "data": str(data.absolute()),
            "pairs": pairs,
            "start": start.isoformat(),
            "end": end.isoformat(),
            "every": every,
            "markdown": str(markdown.absolute()) if markdown else None,
        }
        try:
            job = self.carry_out(
                task=report_strategies,
                parameters=parameters,
                background=background,
                tell=self.stderr.write,
            )
        except FileRefusedError as error:
            raise CommandError(str(error)) from error
        if job and job.result and not markdown:
            self.stdout.write(job.result["report"])

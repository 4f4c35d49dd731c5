"""`manage.py report_strategies`: the trend rule, each strategy and the fused decision on candle files, as Markdown."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from research.tasks import report_strategies
from signals.management.job_command import JobCommand, parse_instant
from signals.market.providers.candle_file import FileRefusedError


class Command(JobCommand):
    help = (
        "Report what the trend rule, each strategy and the fused decision did on candle files, beside entries that "
        "know nothing and random walks of the same volatility. It is computed from the files alone; of it only the "
        "job is stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--data",
            type=Path,
            required=True,
            metavar="FOLDER",
            help="holds <PAIR>_4h.parquet and <PAIR>_1h.parquet; without the first 4h is made of 1h",
        )
        parser.add_argument("--pairs", nargs="+", default=[], metavar="PAIR", help="default: all of FOLDER")
        parser.add_argument(
            "--from",
            dest="start",
            type=parse_instant,
            metavar="DATE",
            help="count decisions from here on; earlier candles of FOLDER are warm-up. Default: as early as can be",
        )
        parser.add_argument(
            "--to", dest="end", type=parse_instant, metavar="DATE", help="default: the end of the candles"
        )
        parser.add_argument(
            "--every", type=int, default=7, help="decide (fused) at each n-th close only; 7 takes minutes"
        )
        parser.add_argument("--trend-only", action="store_true", help="leave the fourteen strategies out")
        parser.add_argument("--markdown", type=Path, help="write the report here instead of showing it")

    def handle(
        self,
        *args: Any,
        data: Path,
        pairs: list[str],
        start: datetime | None,
        end: datetime | None,
        every: int,
        trend_only: bool,
        markdown: Path | None,
        background: bool,
        **options: Any,
    ) -> None:
        if (start and end and start >= end) or every < 1:
            raise CommandError("--from must be before --to, and --every at least 1.")
        parameters = {
            "data": str(data.absolute()),
            "pairs": pairs,
            "start": start.isoformat() if start else None,
            "end": end.isoformat() if end else None,
            "every": every,
            "with_strategies": not trend_only,
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

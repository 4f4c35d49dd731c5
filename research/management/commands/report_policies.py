"""`manage.py report_policies PART`: known optima, gates of real markets, or an ablation by year, as Markdown."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from research.tasks import report_policies
from signals.management.job_command import JobCommand, parse_instant
from signals.market.providers.candle_file import FileRefusedError

PAIRS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")


class Command(JobCommand):
    help = "Train policies where the best is known (optima), on candle files (gates), or year by year (ablation)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("part", choices=["optima", "gates", "ablation"])
        parser.add_argument("--timesteps", type=int, default=200_000)
        parser.add_argument("--seeds", type=int, default=3)
        parser.add_argument(
            "--data", type=Path, metavar="FOLDER", help="holds <PAIR>_1h.parquet; not for optima"
        )
        parser.add_argument("--pairs", nargs="+", default=list(PAIRS), metavar="PAIR")
        parser.add_argument(
            "--from", dest="start", type=parse_instant, default=parse_instant("2023-01-01"), metavar="DATE"
        )
        parser.add_argument(
            "--to", dest="end", type=parse_instant, default=parse_instant("2026-01-01"), metavar="DATE"
        )
        parser.add_argument("--years", nargs="+", type=int, default=[2024, 2025], help="of the ablation")
        parser.add_argument("--markdown", type=Path, help="write the report here instead of showing it")

    def handle(
        self,
        *args: Any,
        part: str,
        data: Path | None,
        start: datetime,
        end: datetime,
        markdown: Path | None,
        background: bool,
        **options: Any,
    ) -> None:
        if part != "optima" and data is None:
            raise CommandError("--data FOLDER is needed: the candle files.")
        if start >= end or options["timesteps"] < 1 or options["seeds"] < 1:
            raise CommandError("--from must be before --to; steps and seeds must be at least 1.")
        parameters = {
            "part": part,
            "data": str(data.absolute()) if data else None,
            "start": start.isoformat(),
            "end": end.isoformat(),
            **{name: options[name] for name in ("timesteps", "seeds", "pairs", "years")},
        }
        try:
            job = self.carry_out(
                task=report_policies, parameters=parameters, background=background, tell=self.stderr.write
            )
        except FileRefusedError as error:
            raise CommandError(str(error)) from error
        if job and job.result:
            if markdown:
                markdown.write_text(job.result["report"])
            else:
                self.stdout.write(job.result["report"])

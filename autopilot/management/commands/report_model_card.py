"""`manage.py report_model_card`: what the selector knows of candle files, as a Markdown page."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from autopilot.tasks import report_model_card
from signals.engine.timeframe import Timeframe
from signals.management.job_command import JobCommand
from signals.market.providers.candle_file import FileRefusedError


class Command(JobCommand):
    help = (
        "Train and judge the selector on the pairs of a folder of candle files that have most history, out of sample "
        "against its baselines, by year. Of it only the job is stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--data", type=Path, required=True, metavar="FOLDER", help="holds <PAIR>_<TIMEFRAME>.parquet"
        )
        parser.add_argument(
            "--timeframe",
            action="append",
            choices=[each.value for each in Timeframe],
            help="may be given again; 1h without it",
        )
        parser.add_argument("--pairs", type=int, default=4, help="at most so many")
        parser.add_argument("--markdown", type=Path, help="write the report here instead of showing it")

    def handle(
        self,
        *args: Any,
        data: Path,
        timeframe: list[str] | None,
        pairs: int,
        markdown: Path | None,
        background: bool,
        **options: Any,
    ) -> None:
        if pairs < 1:
            raise CommandError("--pairs must be at least 1.")
        parameters = {
            "data": str(data.absolute()),
            "timeframes": timeframe or ["1h"],
            "pairs": pairs,
            "markdown": str(markdown.absolute()) if markdown else None,
        }
        try:
            job = self.carry_out(
                task=report_model_card,
                parameters=parameters,
                background=background,
                tell=self.stderr.write,
            )
        except FileRefusedError as error:
            raise CommandError(str(error)) from error
        if job and job.result and not markdown:
            self.stdout.write(job.result["report"])

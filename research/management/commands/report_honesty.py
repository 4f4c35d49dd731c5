"""`manage.py report_honesty`: what the tools against luck say where the truth is known, as a Markdown page."""

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from signals.management.plain_command import PlainCommand


class Command(PlainCommand):
    help = (
        "Ask the engines for overfitting, portfolios and A/B tests about simulated data of which the truth is known. "
        "Takes some minutes, stores nothing, and ends with status 1 when a figure misses its goal."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seeds", type=int, default=200, help="selections of a best trial")
        parser.add_argument("--many-seeds", type=int, default=2_000, help="the same, for rare events")
        parser.add_argument("--matrices", type=int, default=200)
        parser.add_argument("--tests", type=int, default=1_000, help="A/A and A/B tests of each metric")
        parser.add_argument("--portfolios", type=int, default=100)
        parser.add_argument("--markdown", type=Path, help="write the report here instead of showing it")

    def handle(
        self,
        *args: Any,
        seeds: int,
        many_seeds: int,
        matrices: int,
        tests: int,
        portfolios: int,
        markdown: Path | None,
        **options: Any,
    ) -> None:
        from research.services.honesty_report import figures, render  # noqa: PLC0415  (scipy, compiled code)
        from research.services.honesty_study import run  # noqa: PLC0415
        from research.services.report_from_files import commit  # noqa: PLC0415

        version, begun = commit(), time.monotonic()
        found = run(
            seeds=seeds,
            many_seeds=many_seeds,
            matrices=matrices,
            tests=tests,
            portfolios=portfolios,
            progress=self.stderr.write,
        )
        report = render(
            found,
            command="manage.py report_honesty --markdown docs/honesty.md",
            commit=version,
            seconds=time.monotonic() - begun,
        )
        if markdown:
            markdown.write_text(report + "\n")
        else:
            self.stdout.write(report)
        missed = [each.question for each in figures(found) if not each.reached]
        if missed:
            self.stderr.write(f"{len(missed)} missed: {'; '.join(missed)}")
            sys.exit(1)

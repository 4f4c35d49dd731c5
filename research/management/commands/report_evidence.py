"""`manage.py report_evidence`: how often the gate is wrong where the truth is known, as a Markdown page."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from signals.management.plain_command import PlainCommand


class Command(PlainCommand):
    help = (
        "Ask the gate about simulated kinds of signals that earn nothing, and about skilled ones. Takes seconds, "
        "stores nothing, and ends with status 1 when a figure misses its goal."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--kinds", type=int, default=2_000, help="of each shape of outcomes")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--markdown", type=Path, help="write the page here instead of showing it")

    def handle(self, *args: Any, kinds: int, seed: int, markdown: Path | None, **options: Any) -> None:
        from research.services.gate_report import measure, render  # noqa: PLC0415  (scipy)
        from research.services.report_from_files import commit  # noqa: PLC0415  (compiled code)

        found = measure(kinds=kinds, seed=seed, progress=self.stderr.write)
        page = render(found, command="manage.py report_evidence --markdown docs/evidence.md", commit=commit())
        if markdown:
            markdown.write_text(page + "\n")
        else:
            self.stdout.write(page)
        if not all(each.holds for each in found):
            self.stderr.write("A figure misses its goal.")
            sys.exit(1)

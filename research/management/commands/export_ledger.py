"""The public part of the ledger as files that `verify_ledger.py` checks."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from research.selectors.ledger_export import export_lines, head_file, longest_delay, public_head


class Command(BaseCommand):
    help = (
        "Write the ledger as JSON lines, up to the newest head that is older than the longest tier delay. "
        "With FILE, the head goes to FILE.head and its public key to FILE.key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", nargs="?", default="-", metavar="FILE", help="- or nothing: standard output"
        )
        parser.add_argument("--head", type=Path, help="where the signed head goes")
        parser.add_argument("--key", type=Path, help="where the public key goes")

    def handle(self, *args: Any, **options: Any) -> None:
        head = public_head(timezone.now())
        if head is None:
            raise CommandError(
                f"no head of the ledger is older than the longest tier delay ({longest_delay()}): the first is "
                "signed within ten minutes of the first signal, by the worker or by manage.py sign_ledger_head"
            )
        name, head_path, key_path = options["file"], options["head"], options["key"]
        if name == "-":
            sys.stdout.buffer.writelines(export_lines(head))
        else:
            with Path(name).open("wb") as file:
                file.writelines(export_lines(head))
            head_path, key_path = head_path or Path(f"{name}.head"), key_path or Path(f"{name}.key")
        if head_path:
            head_path.write_bytes(head_file(head))
        if key_path:
            key_path.write_text(head.public_key + "\n")
        if name != "-":
            self.stdout.write(
                f"{head.size} entries, as signed at {head.signed_at:%Y-%m-%d %H:%M:%S} UTC. Check them:\n"
                f"python static/copilot/verify_ledger.py {name} --head {head_path} --key {key_path}"
            )

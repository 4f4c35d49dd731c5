"""`manage.py translations`: compile locale/*/LC_MESSAGES/django.po; --missing lists what is not translated."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from copilot_project.translations import mo_bytes, read_po, to_translate


class Command(BaseCommand):
    help = "Compile the bot's translations without gettext's binaries."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--missing", action="store_true", help="only list what has no translation")

    def handle(self, *args: Any, **options: Any) -> None:
        texts = to_translate(settings.BASE_DIR)
        for folder in settings.LOCALE_PATHS:
            for path in sorted(Path(folder).glob("*/LC_MESSAGES/django.po")):
                entries = read_po(path.read_text())
                missing = sorted(text for text in texts if not entries.get(text))
                if options["missing"]:
                    self.stdout.write(
                        "\n".join(f"{path}: {text!r}" for text in missing) or f"{path}: complete"
                    )
                    continue
                if missing:
                    raise CommandError(f"{path}: {len(missing)} texts have no translation, see --missing")
                path.with_suffix(".mo").write_bytes(mo_bytes(entries))
                self.stdout.write(f"{path.with_suffix('.mo')}: {len(entries) - 1} texts")

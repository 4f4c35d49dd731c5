"""`manage.py show_settings`: where each setting came from."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from copilot_project.setting_origins import origins
from copilot_project.vault import VaultError


class Command(BaseCommand):
    help = "Show each setting, masked where it is secret, and which source gave it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        from copilot_project.settings import config  # noqa: PLC0415  (Django's settings are loaded by now)

        try:
            rows = origins(config)
        except VaultError as error:
            raise CommandError(f"No settings from Vault: {error}") from None
        if options["json"]:
            table = {row.name: {"value": row.shown, "source": row.source} for row in rows}
            self.stdout.write(json.dumps(table, indent=1))
            return
        widths = [max(len(getattr(row, part)) for row in rows) for part in ("name", "source")]
        for row in rows:
            self.stdout.write(f"{row.name:<{widths[0]}}  {row.source:<{widths[1]}}  {row.shown}")
        vault = "in use" if settings.VAULT_ACCESS else "not in use"
        self.stdout.write(
            f"\nThe environment wins over .env, .env over Vault ({vault}), Vault over files in SECRETS_DIR."
        )

"""`manage.py rotate_exchange_keys`: encrypt every API key anew under the first key of EXCHANGE_KEY_SECRETS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from autopilot.services.live.keys import ApiKeyError, rotate_keys


class Command(BaseCommand):
    help = "Encrypt every stored API key anew under the newest encryption key. Trading goes on meanwhile."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = rotate_keys(by="manage.py rotate_exchange_keys", now=timezone.now())
        except ApiKeyError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} keys are encrypted under the newest encryption key.")

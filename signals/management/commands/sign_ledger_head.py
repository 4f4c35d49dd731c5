"""The ledger's head, now: before an export, or as the first under a new key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from signals.services.ledger_heads import LedgerBrokenError, sign_head
from signals.services.ledger_key import LedgerKeyMissingError


class Command(BaseCommand):
    help = "Check the whole ledger and sign its end now, whatever was signed today."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            head = sign_head(now=timezone.now())
        except (LedgerBrokenError, LedgerKeyMissingError) as error:
            raise CommandError(str(error)) from None
        if head is None:
            raise CommandError("the ledger is empty: there is nothing to sign")
        self.stdout.write(f"{head.size} entries signed by {head.public_key}, root {head.root_hash}")

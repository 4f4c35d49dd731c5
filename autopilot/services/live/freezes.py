"""A person's word on what the exchange holds beyond our fills."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from autopilot.models import Account, FreezeCause, Holding, Position, Reconciliation, SymbolFreeze
from signals.services.actions import record_action


def accept_difference(*, freeze: SymbolFreeze, note: str, by: str, now: datetime, address: str = "") -> None:
    """A person has looked: what the exchange holds beyond our fills is theirs, and the freeze is lifted."""
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=freeze.account_id)
        asset = freeze.instrument.base
        compared = Reconciliation.objects.filter(account=account).first()
        for each in compared.balances if compared else []:
            if each["asset"] == asset and freeze.cause == FreezeCause.POSITION_DIFFERS:
                Holding.objects.filter(account=account, asset=asset).update(
                    quantity=Decimal(each["owned"]) - held_of(account, asset), since=now, accepted_by=by
                )
        freeze.lifted_at, freeze.lifted_by, freeze.note = now, by, note.strip()[:300]
        freeze.save(update_fields=["lifted_at", "lifted_by", "note"])
        record_action(
            actor=by,
            what="freeze.lifted",
            target=f"{account.name} {freeze.instrument.symbol}",
            now=now,
            after={"cause": freeze.cause, "note": freeze.note},
            address=address,
        )


def held_of(account: Account, asset: str) -> Decimal:
    ours = Position.objects.filter(account=account, instrument__base=asset)
    return sum((each.quantity for each in ours), Decimal(0))

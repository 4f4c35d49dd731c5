"""Opening accounts and paying in."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from autopilot.models import Account, AccountKind, BalanceEntry, BalanceKind
from signals.services.actions import record_action


def open_account(
    *,
    name: str,
    currency: str,
    cash: Decimal,
    by: str,
    now: datetime,
    kind: AccountKind = AccountKind.PAPER,
    **settings: Any,
) -> Account:
    """A new account with its first deposit; settings are other columns of Account."""
    with transaction.atomic():
        account = Account(name=name, currency=currency, kind=kind, created_at=now, **settings)
        account.full_clean()
        account.save()
        record_action(
            actor=by,
            what="account.opened",
            target=name,
            now=now,
            after={"currency": currency, "kind": kind.value, "cash": str(cash)},
        )
        pay_in(account=account, amount=cash, by=by, now=now)
    return account


def pay_in(*, account: Account, amount: Decimal, by: str, now: datetime) -> BalanceEntry:
    """ValueError for an amount that is not positive or finer than 1e-8."""
    if not (amount.is_finite() and amount > 0) or amount.quantize(Decimal("1e-8")) != amount:
        raise ValueError(f"a deposit is a positive amount of whole 1e-8, not {amount}")
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=account.pk)
        entry = BalanceEntry.objects.create(
            account=account, kind=BalanceKind.DEPOSIT, amount=amount, at=now, recorded_at=now
        )
        record_action(
            actor=by, what="account.deposit", target=account.name, now=now, after={"amount": str(amount)}
        )
    return entry

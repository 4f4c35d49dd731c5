"""Does the exchange tell the same story as our rows? Foreign orders and trades are shown, never touched."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Min, Q

from autopilot.engine.live_order import LiveState
from autopilot.models import (
    Account,
    FreezeCause,
    Holding,
    LiveOrder,
    LiveTrade,
    Order,
    Reconciliation,
    SymbolFreeze,
)
from autopilot.services.executor.protection import unprotected
from autopilot.services.executor.venues import Venue
from autopilot.services.live.freezes import held_of
from signals.crash_points import CrashPoint, reach
from signals.market.models import Instrument
from signals.services.alarms import set_alarm

LOOK_BACK = timedelta(days=1)  # the first time
OVERLAP = timedelta(minutes=1)  # with the last comparison: an exchange may tell trades late
LARGEST_OFFSET_MS = 1000
SHOWN = 20
UNKNOWN_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Comparison:
    is_clean: bool
    findings: list[str]
    external: list[dict[str, Any]]
    balances: list[dict[str, str]]


def reconcile(*, account: Account, venue: Venue, boot: uuid.UUID, now: datetime) -> Reconciliation:
    """Compare once and write it down. Raises what the venue raises: then nothing is known, and nothing clean."""
    offset = venue.clock_offset_ms()
    findings: list[str] = []
    if abs(offset) > LARGEST_OFFSET_MS:
        findings.append(
            f"The exchange's clock is {offset / 1000:+.1f} s from ours: no live entry until it is not."
        )
    external: list[dict[str, Any]] = []
    last = Reconciliation.objects.filter(account=account).values_list("at", flat=True).first()
    for instrument in traded_instruments(account):
        external += _foreign_orders(account, instrument, venue)
        _note_foreign_trades(account, instrument, venue, last, now)
    owned = venue.balances()
    balances = [_compared(account, asset, owned) for asset in _assets(account)]
    for each in balances:
        settled = not _is_moving(account, each["asset"])
        if Decimal(each["difference"]) and settled:
            findings.append(
                f"{each['asset']}: the exchange holds {each['owned']}, our fills and what was there before"
                f" make {each['expected']}."
            )
    # These freeze their own instrument and nothing else.
    unsure = [
        f"{row.order.instrument.symbol} {row.order.client_order_id}: its fate is unknown."
        for row in account.live_orders.unsure().select_related("order__instrument")[:SHOWN]
    ]
    reach(CrashPoint.BEFORE_RECONCILED)
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=account.pk)
        _freeze_differences(account, balances, now)
        _freeze_unprotected(account, now)
        findings += [
            f"{row.instrument.symbol}: {row.get_cause_display().lower()}; frozen until a person decides."
            for row in account.freezes.filter(lifted_at=None)
            .exclude(cause=FreezeCause.UNKNOWN_ORDER)
            .select_related("instrument")
        ]
        told = Comparison(
            is_clean=not findings, findings=findings + unsure, external=external, balances=balances
        )
        return _write(account, boot, offset, told, now)


def alarm_of_freezes(account: Account, now: datetime) -> None:
    """Told to staff while an instrument is frozen; an order of unknown fate only when it stays so for a minute."""
    standing = account.freezes.filter(lifted_at=None).exclude(
        cause=FreezeCause.UNKNOWN_ORDER, frozen_at__gt=now - UNKNOWN_FOR
    )
    told = [
        f"{row.instrument.symbol}: {row.get_cause_display().lower()}"
        for row in standing.select_related("instrument")
    ]
    set_alarm(name=f"live account {account.name}"[:100], detail="; ".join(told), now=now)


def traded_instruments(account: Account) -> list[Instrument]:
    """Those in which the account has ever sent an order."""
    ids = account.live_orders.order_by().values_list("instrument_id", flat=True).distinct()
    return list(Instrument.objects.filter(pk__in=ids).order_by("symbol"))


def _foreign_orders(account: Account, instrument: Instrument, venue: Venue) -> list[dict[str, Any]]:
    told = venue.open_orders(instrument.symbol)
    ours = set(
        Order.objects.filter(
            account=account, client_order_id__in=[each.client_order_id for each in told]
        ).values_list("client_order_id", flat=True)
    )
    known = set(
        LiveOrder.objects.filter(
            account=account, instrument=instrument, venue_order_id__in=[each.id for each in told]
        ).values_list("venue_order_id", flat=True)
    )
    return [
        {
            "symbol": instrument.symbol,
            "id": each.id,
            "side": each.side,
            "type": each.kind,
            "quantity": str(each.quantity),
            "price": str(each.price),
        }
        for each in told
        if each.client_order_id not in ours and each.id not in known
    ]


def _note_foreign_trades(
    account: Account, instrument: Instrument, venue: Venue, last: datetime | None, now: datetime
) -> None:
    """Trades of orders that are not ours, by hand or by another program."""
    told = venue.trades(symbol=instrument.symbol, since=_noted_until(account, instrument, last, now))
    known = set(
        LiveTrade.objects.filter(account=account, instrument=instrument).values_list("trade_id", flat=True)
    )
    sent = LiveOrder.objects.filter(account=account, instrument=instrument)
    ours = set(sent.exclude(venue_order_id="").values_list("venue_order_id", flat=True))
    if sent.unsure().exists():
        return  # one of them may be its own
    LiveTrade.objects.bulk_create(
        [
            LiveTrade(
                account=account,
                exchange_id=instrument.exchange_id,
                instrument=instrument,
                trade_id=each.id,
                venue_order_id=each.order_id,
                side=each.side.value,
                quantity=each.quantity,
                price=each.price,
                fee=each.fee,
                fee_asset=each.fee_asset,
                traded_at=each.at,
                recorded_at=now,
            )
            for each in told
            if each.id not in known and each.order_id not in ours
        ],
        ignore_conflicts=True,
    )


def _noted_until(account: Account, instrument: Instrument, last: datetime | None, now: datetime) -> datetime:
    """Before an order of unknown fate was sent, too: nothing was noted while it was."""
    if last is None:
        return now - LOOK_BACK
    doubtful = account.live_orders.filter(instrument=instrument, events__state=LiveState.UNKNOWN.value)
    recent = doubtful.filter(Q(ended_at=None) | Q(ended_at__gt=last - OVERLAP))
    began = recent.aggregate(began=Min("written_at"))["began"]
    return max(min(last, began or last) - OVERLAP, now - LOOK_BACK)


def _assets(account: Account) -> list[str]:
    return list(account.holdings.order_by("asset").values_list("asset", flat=True))


def _compared(account: Account, asset: str, owned: dict[str, Decimal]) -> dict[str, str]:
    there = owned.get(asset, Decimal(0))
    before = Holding.objects.get(account=account, asset=asset).quantity
    expected = before + held_of(account, asset)
    return {
        "asset": asset,
        "owned": f"{there.normalize():f}",
        "expected": f"{expected.normalize():f}",
        "difference": f"{(there - expected).normalize():f}",
    }


def _is_moving(account: Account, asset: str) -> bool:
    """Whether an order in it is under way: fills may be told in balances before they are told as trades."""
    return account.live_orders.alive().filter(instrument__base=asset).exclude(state="new").exists()


def _freeze_differences(account: Account, balances: list[dict[str, str]], now: datetime) -> None:
    """One that was there the last time as well, with nothing under way either time."""
    last = Reconciliation.objects.filter(account=account).first()
    before = {each["asset"]: each["difference"] for each in last.balances} if last else {}
    for each in balances:
        asset = each["asset"]
        if not Decimal(each["difference"]) or before.get(asset) != each["difference"]:
            continue
        if _is_moving(account, asset):
            continue
        for instrument in traded_instruments(account):
            if instrument.base == asset:
                note = f"Owned {each['owned']}, expected {each['expected']}."
                _freeze(account, instrument, FreezeCause.POSITION_DIFFERS, note, now)


def _freeze_unprotected(account: Account, now: datetime) -> None:
    missing = {position.instrument_id: position for position in unprotected(account)}
    for position in missing.values():
        _freeze(account, position.instrument, FreezeCause.UNPROTECTED, "No stop at the exchange.", now)
    account.freezes.filter(cause=FreezeCause.UNPROTECTED, lifted_at=None).exclude(
        instrument_id__in=missing
    ).update(lifted_at=now, lifted_by="the stop is there")


def _freeze(account: Account, instrument: Instrument, cause: FreezeCause, note: str, now: datetime) -> None:
    SymbolFreeze.objects.get_or_create(
        account=account,
        instrument=instrument,
        cause=cause,
        order=None,
        lifted_at=None,
        defaults={"frozen_at": now, "note": note},
    )


def _write(
    account: Account,
    boot: uuid.UUID,
    offset: int,
    told: Comparison,
    now: datetime,
) -> Reconciliation:
    row, _ = Reconciliation.objects.update_or_create(
        account=account,
        defaults={
            "at": now,
            "boot": boot,
            "is_clean": told.is_clean,
            "clock_offset_ms": offset,
            "findings": told.findings,
            "external_orders": told.external,
            "balances": told.balances,
        },
    )
    return row

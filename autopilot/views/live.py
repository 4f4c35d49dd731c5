"""Live trading: accounts and their locks, orders at exchanges, what is unknown or frozen, and the halt."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from autopilot.models import Account, AccountKind, LiveArming, LiveOrder, SymbolFreeze
from autopilot.services.accounts import open_account
from autopilot.services.live import locks
from autopilot.services.live.arming import ArmingError, confirm_arming, disarm, request_arming
from autopilot.services.live.freezes import accept_difference
from autopilot.services.live.intents import DecisionError, cancel_by_hand, decide_unknown, has_no_evidence
from autopilot.services.live.keys import ApiKeyError, store_key
from autopilot.views.page import page
from signals.market.models import Exchange
from signals.selectors import is_alone, trading_state
from signals.services import kill_switch

ORDERS_SHOWN = 50
RIGHTS = {"halt": "signals.change_killswitch", "reduce": "signals.change_killswitch"}
CHANGES = "autopilot.change_account"


def live(request: HttpRequest) -> HttpResponse:
    context = _state() | {
        "exchanges": Exchange.objects.order_by("name"),
        "may_change": request.user.has_perm(CHANGES),
        "may_halt": request.user.has_perm(RIGHTS["halt"]),
    }
    return page(request, "autopilot/live.html", "Live trading", context)


def live_state(request: HttpRequest) -> HttpResponse:
    """The lists without the page around them; HTMX asks for it."""
    return render(request, "autopilot/live_state.html", _state())


def live_order(request: HttpRequest, pk: int) -> HttpResponse:
    """One order with its whole history, and what a person may do about it."""
    rows = LiveOrder.objects.select_related("order__signal", "account", "instrument__exchange")
    found = get_object_or_404(rows, pk=pk)
    context = {
        "live": found,
        "events": found.events.all(),
        "trades": found.account.live_trades.filter(venue_order_id=found.venue_order_id)
        if found.venue_order_id
        else [],
        "may_decide": found.state == "unknown" and has_no_evidence(found),
        "may_change": request.user.has_perm(CHANGES),
        "may_cancel": found.state in ("new", "acked", "part_filled") and not found.cancel_asked_at,
    }
    return page(request, "autopilot/live_order.html", f"Order {found.order.client_order_id}", context)


@sensitive_post_parameters("api_key", "api_secret")
@require_POST
def live_act(request: HttpRequest) -> HttpResponse:
    """What the pressed button says; every refusal says why."""
    wanted = request.POST.get("do", "")
    if not request.user.has_perm(RIGHTS.get(wanted, CHANGES)):
        return HttpResponse(status=403)
    act = ACTS.get(wanted)
    if act is None:
        return HttpResponse(status=400)
    try:
        messages.success(request, act(request))
    except (ArmingError, ApiKeyError, DecisionError, kill_switch.KillSwitchError) as error:
        messages.error(request, str(error))
    except (ValidationError, InvalidOperation, ValueError) as error:
        told = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        messages.error(request, f"Nothing was changed: {told}")
    return HttpResponseRedirect(reverse("autopilot:live"))


def _state() -> dict[str, Any]:
    now = timezone.now()
    accounts = Account.objects.filter(kind=AccountKind.LIVE).select_related(
        "exchange_key__exchange", "reconciliation"
    )
    orders = LiveOrder.objects.select_related("order", "account", "instrument")
    return {
        "now": now,
        "trading": trading_state().value,
        "accounts": [_account(account, now) for account in accounts],
        "unknown": orders.unsure(),
        "freezes": SymbolFreeze.objects.filter(lifted_at=None).select_related(
            "account", "instrument", "order"
        ),
        "orders": orders[:ORDERS_SHOWN],
    }


def _account(account: Account, now: Any) -> dict[str, Any]:
    told = locks(account=account, now=now)
    return {
        "account": account,
        "key": getattr(account, "exchange_key", None),
        "compared": getattr(account, "reconciliation", None),
        "locks": told,
        "is_armed": all(lock.is_open for lock in told),
        "arming": account.armings.in_force(now).first(),
        "asked": account.armings.open_requests().filter(expires_at__gt=now).first(),
    }


def _who(request: HttpRequest) -> dict[str, Any]:
    return {
        "by": request.user.get_username(),
        "now": timezone.now(),
        "address": request.META.get("REMOTE_ADDR", "") or "",
    }


def _account_of(request: HttpRequest) -> Account:
    return get_object_or_404(Account, pk=request.POST.get("account") or 0, kind=AccountKind.LIVE)


def _halt(request: HttpRequest) -> str:
    kill_switch.engage(
        reason=request.POST.get("reason") or "Halted on the page Live trading.", **_who(request)
    )
    return "Halted: no signal and no new exposure leaves. Cancels and exits go on."


def _reduce(request: HttpRequest) -> str:
    kill_switch.reduce_only(
        reason=request.POST.get("reason") or "From the page Live trading.", **_who(request)
    )
    return "Orders only reduce from now on; signals go on."


def _open(request: HttpRequest) -> str:
    who = _who(request)
    account = open_account(
        name=request.POST.get("name", "").strip(),
        currency=request.POST.get("currency", "").strip().upper(),
        cash=Decimal(request.POST.get("cash", "")),
        kind=AccountKind.LIVE,
        by=who["by"],
        now=who["now"],
    )
    return f"{account.name} is open. Store its API key next."


def _key(request: HttpRequest) -> str:
    who = _who(request)
    row = store_key(
        account=_account_of(request),
        exchange=get_object_or_404(Exchange, pk=request.POST.get("exchange") or 0),
        api_key=request.POST.get("api_key", ""),
        api_secret=request.POST.get("api_secret", ""),
        by=who["by"],
        now=who["now"],
    )
    return f"{row} is stored. The executor asks the exchange what it may do before it is used."


def _ask(request: HttpRequest) -> str:
    request_arming(
        account=_account_of(request),
        typed=request.POST.get("typed", ""),
        reason=request.POST.get("reason", ""),
        **_who(request),
    )
    return "Asked for. Somebody else confirms it within 15 minutes."


def _confirm(request: HttpRequest) -> str:
    arming = get_object_or_404(LiveArming, pk=request.POST.get("arming") or 0)
    armed = confirm_arming(
        arming=arming,
        typed=request.POST.get("typed", ""),
        hours=int(request.POST.get("hours") or 8),
        may_be_same=is_alone(request.user, CHANGES),
        **_who(request),
    )
    return f"{armed.account.name} trades live until {armed.expires_at:%Y-%m-%d %H:%M} UTC."


def _disarm(request: HttpRequest) -> str:
    account = _account_of(request)
    disarm(account=account, **_who(request))
    return f"{account.name} opens nothing any more; exits go on."


def _decide(request: HttpRequest) -> str:
    decide_unknown(
        live_id=int(request.POST.get("order") or 0), note=request.POST.get("note", ""), **_who(request)
    )
    return "The order is ended by your decision; its instrument is free again."


def _cancel(request: HttpRequest) -> str:
    found = get_object_or_404(LiveOrder, pk=request.POST.get("order") or 0)
    asked = cancel_by_hand(live_id=found.pk, **_who(request))
    return (
        "The executor takes it out; what was filled stays."
        if asked
        else "It could not be taken out any more."
    )


def _lift(request: HttpRequest) -> str:
    note = request.POST.get("note", "")
    if not note.strip():
        raise DecisionError("Say what you saw at the exchange: it goes on record.")
    freeze = get_object_or_404(SymbolFreeze, pk=request.POST.get("freeze") or 0, lifted_at=None)
    if freeze.order_id is not None:
        raise DecisionError("An order of unknown fate is decided on its own page.")
    accept_difference(freeze=freeze, note=note, **_who(request))
    return "The freeze is lifted. What the exchange holds beyond our fills is left alone."


ACTS: dict[str, Callable[[HttpRequest], str]] = {
    "halt": _halt,
    "reduce": _reduce,
    "open": _open,
    "key": _key,
    "ask": _ask,
    "confirm": _confirm,
    "disarm": _disarm,
    "decide": _decide,
    "cancel": _cancel,
    "lift": _lift,
}

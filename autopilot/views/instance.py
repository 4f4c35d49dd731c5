"""One autopilot: how it stands, what it decided and why, what it holds, ordered and made."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from autopilot.engine.cycle import Mode
from autopilot.models import Decision, Instance, Order, Position, Trade
from autopilot.selectors import cash_of, deposits_of, held_worth, trades_begun_today
from autopilot.views.page import page

SHOWN = 12


def instance(request: HttpRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(Instance.objects.select_related("instrument__exchange", "account"), pk=pk)
    modes = [(mode.value, mode.value.title(), mode.value == shown.mode) for mode in Mode]
    context = _state(shown) | {
        "modes": modes,
        "may_change": request.user.has_perm("autopilot.change_instance"),
        "has_equity": shown.account.equity_points.filter(at__gte=shown.started_at).exists(),
    }
    return page(request, "autopilot/instance.html", f"Autopilot on {shown}", context)


def instance_state(request: HttpRequest, pk: int) -> HttpResponse:
    """The part that keeps itself true; HTMX asks for it."""
    shown = get_object_or_404(Instance.objects.select_related("instrument__exchange", "account"), pk=pk)
    return render(request, "autopilot/instance_state.html", _state(shown))


def decision(request: HttpRequest, pk: int) -> HttpResponse:
    """One decision with everything that was seen."""
    shown = get_object_or_404(
        Decision.objects.select_related("instance__instrument__exchange", "signal", "order", "model"), pk=pk
    )
    context = {"decision": shown, "tick": shown.instance.instrument.tick_size}
    return page(request, "autopilot/decision.html", f"Decision on {shown.instance}", context)


def _state(shown: Instance) -> dict[str, Any]:
    account, instrument, now = shown.account, shown.instrument, timezone.now()
    cash = cash_of(account)
    positions = list(
        Position.objects.filter(account=account, instrument=instrument)
        .exclude(quantity=0)
        .select_related("instrument")
    )
    equity = cash + held_worth(list(account.positions.exclude(quantity=0)))
    paid_in = deposits_of(account)
    decisions = shown.decisions.select_related("signal", "order")
    return {
        "now": now,
        "instance": shown,
        "cash": cash,
        "equity": equity,
        "gain": float(equity / paid_in - 1) if paid_in else None,
        "trades_today": trades_begun_today(account, now, instrument),
        "decisions": decisions.exclude(outcome="unchanged")[:SHOWN],
        "newest": decisions.first(),
        "positions": positions,
        "orders": Order.objects.filter(account=account, instrument=instrument).select_related("instrument")[
            :SHOWN
        ],
        "trades": Trade.objects.filter(account=account, instrument=instrument).select_related("instrument")[
            :SHOWN
        ],
    }

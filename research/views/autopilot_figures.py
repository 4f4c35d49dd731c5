"""Figures of the autopilot's pages: candles with its paper trades, its account's equity beside buying and holding."""

from datetime import datetime, timedelta

import numpy as np
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from autopilot.models import Instance, Position
from autopilot.models import Trade as ClosedTrade
from research.charts.candles import Trade, candles
from research.charts.equity import equity
from research.charts.figure import figure
from research.selectors import instrument as selectors
from signals.engine.moment import milliseconds
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle

MOST_POINTS = 2_000


def autopilot_candles(request: HttpRequest, pk: int) -> HttpResponse:
    instance = get_object_or_404(Instance.objects.select_related("instrument", "account"), pk=pk)
    timeframe, now = Timeframe(instance.timeframe), timezone.now()
    bars = selectors.bars_until(instrument=instance.instrument, timeframe=timeframe, until=now)
    if len(bars) == 0:
        return JsonResponse(figure([]))
    start, _ = selectors.shown_span(bars, timeframe)
    return JsonResponse(candles(bars, trades_of(instance, start, now), name=instance.instrument.symbol))


def trades_of(instance: Instance, start: datetime, now: datetime) -> list[Trade]:
    """Closed trades that ended since `start`, and what is held."""
    same = {"account": instance.account, "instrument": instance.instrument}
    closed = ClosedTrade.objects.filter(**same, exited_at__gte=start).select_related("signal")
    held = [_held(position, now) for position in Position.objects.filter(**same).exclude(quantity=0)]
    return [*map(_closed, closed), *(each for each in held if each is not None)]


def _closed(trade: ClosedTrade) -> Trade:
    signal, entry = trade.signal, float(trade.entry_price)
    told = "" if trade.r_multiple is None else f", {trade.r_multiple:+.2f} R after costs"
    return Trade(
        title=f"{trade.get_direction_display()}, {trade.strategy or 'by hand'}",
        direction=trade.direction,
        entry_time=milliseconds(trade.entered_at),
        entry_price=entry,
        stop=signal.stop_loss if signal else entry,
        target=signal.take_profit if signal else None,
        until=milliseconds(trade.exited_at),
        exit_time=milliseconds(trade.exited_at),
        exit_price=float(trade.exit_price),
        exit_words=f"{trade.get_exit_reason_display()}{told}",
        is_win=trade.net_profit > 0,
    )


def _held(position: Position, now: datetime) -> Trade | None:
    """None while its entry is not told."""
    if position.entered_at is None:
        return None
    waiting = {order.purpose: order.price for order in position.orders.open()}
    entry = float(position.average_price)
    stop, target = waiting.get("stop"), waiting.get("target")
    return Trade(
        title="Held",
        direction="long" if position.quantity > 0 else "short",
        entry_time=milliseconds(position.entered_at),
        entry_price=entry,
        stop=float(stop) if stop is not None else entry,
        target=None if target is None else float(target),
        until=milliseconds(now),
    )


def autopilot_equity(request: HttpRequest, pk: int) -> HttpResponse:
    """The account since this autopilot was started, and what the same money would be worth in the instrument."""
    instance = get_object_or_404(Instance.objects.select_related("instrument", "account"), pk=pk)
    since = instance.started_at - timedelta(seconds=Timeframe(instance.timeframe).seconds)
    points = instance.account.equity_points.filter(at__gte=since).order_by("at").values_list("at", "equity")
    rows = list(points[:MOST_POINTS])
    if not rows:
        return JsonResponse(figure([]))
    times = [at for at, _ in rows]
    closes = dict(
        Candle.objects.filter(
            instrument=instance.instrument, timeframe=instance.timeframe, open_time__in=times
        ).values_list("open_time", "close")
    )
    held = np.array([closes.get(at, np.nan) for at in times])
    known = np.flatnonzero(np.isfinite(held))
    money = np.array([float(each) for _, each in rows])
    curves = {instance.account.name: money}
    if len(known):
        curves[f"{instance.instrument} bought and held"] = held / held[known[0]] * money[known[0]]
    return JsonResponse(
        equity([milliseconds(at) for at in times], curves, unit=instance.account.currency, start=None)
    )

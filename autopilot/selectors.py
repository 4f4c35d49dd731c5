"""Balances, exposure and records of accounts."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Max, Q, Sum

from autopilot.engine.order import FillReason, OrderPurpose, OrderState
from autopilot.models import Account, BalanceEntry, BalanceKind, Decision, EquityPoint, Order, Position, Trade
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument

CORRELATION_BARS, FEWEST_RETURNS = 120, 30
NOTHING = Decimal(0)


def cash_of(account: Account) -> Decimal:
    """The sum of the account's balance entries."""
    total: Decimal | None = account.balance_entries.aggregate(total=Sum("amount"))["total"]
    return total or NOTHING


def held_worth(positions: list[Position]) -> Decimal:
    """Of positions at their last closes, signed."""
    held = [each.quantity * each.last_close for each in positions if each.last_close is not None]
    return sum(held, start=NOTHING)


def exposure_of(positions: list[Position]) -> Decimal:
    held = [abs(each.quantity) * each.last_close for each in positions if each.last_close is not None]
    return sum(held, start=NOTHING)


def waiting_entries(account: Account) -> list[Order]:
    return list(account.orders.open().entries().select_related("position"))


def worth_of_orders(orders: list[Order]) -> Decimal:
    """What waiting orders would cost at their own price, or at the last close."""
    total = NOTHING
    for order in orders:
        position = order.position
        price = order.price if order.price is not None or position is None else position.last_close
        total += order.remaining * (price or NOTHING)
    return total


def equity_at_day_start(account: Account, as_of: datetime) -> Decimal:
    start = day_start(as_of)
    point = EquityPoint.objects.filter(account=account, at__lt=start).order_by("-at").first()
    return point.equity if point else deposits_of(account)


def peak_equity(account: Account) -> Decimal:
    peak: Decimal | None = account.equity_points.aggregate(peak=Max("equity"))["peak"]
    return max(peak or NOTHING, deposits_of(account))


def deposits_of(account: Account) -> Decimal:
    entries = BalanceEntry.objects.filter(account=account, kind=BalanceKind.DEPOSIT)
    total: Decimal | None = entries.aggregate(total=Sum("amount"))["total"]
    return total or NOTHING


def trades_begun_today(account: Account, as_of: datetime, instrument: Instrument | None = None) -> int:
    """Entries placed today (UTC) that wait or filled at least in part; of one instrument or of all."""
    placed = account.orders.entries().filter(placed_at__gte=day_start(as_of))
    if instrument is not None:
        placed = placed.filter(instrument=instrument)
    return placed.filter(Q(state=OrderState.OPEN.value) | Q(filled__gt=0)).count()


def closed_results(*, since: datetime, until: datetime) -> list[tuple[str, str, float]]:
    """(strategy, regime, R after costs) of autopilots' signals that have ended, and of trades whose signal has not."""
    decided = Decision.objects.filter(signal__isnull=False).order_by()
    ended = decided.filter(signal__outcome__recorded_at__range=(since, until))
    traded = decided.filter(
        signal__outcome=None,
        signal__trades__recorded_at__range=(since, until),
        signal__trades__r_multiple__isnull=False,
    )
    results = [
        *ended.values_list("strategy", "regime", "signal__outcome__r_multiple"),
        *traded.values_list("strategy", "regime", "signal__trades__r_multiple"),
    ]
    return [(strategy, regime, result) for strategy, regime, result in results if result is not None]


def seconds_since_stop(account: Account, instrument: Instrument, as_of: datetime) -> float | None:
    """Since the close of the bar in which this instrument was last stopped out; None where it never was."""
    stopped = Q(exit_reason=FillReason.STOP.value) | Q(
        exit_reason=FillReason.TRAILING_STOP.value, net_profit__lt=0
    )
    trades = Trade.objects.filter(stopped, account=account, instrument=instrument).select_related("position")
    if not (last := trades.order_by("-exited_at").first()):
        return None
    closed_at = last.exited_at + timedelta(seconds=Timeframe(last.position.timeframe).seconds)
    return (as_of - closed_at).total_seconds()


def highest_correlation(
    instrument: Instrument, side: int, held: list[Position], timeframe: Timeframe, as_of: datetime
) -> float | None:
    """Of the log returns with any of the positions, the other way round where it is on the other side."""
    found = []
    for position in held:
        together = correlation(instrument.pk, position.instrument_id, timeframe, as_of)
        if together is not None:
            found.append(together * side * (1 if position.quantity > 0 else -1))
    return max(found, default=None)


def correlation(first: int, second: int, timeframe: Timeframe, as_of: datetime) -> float | None:
    """Of the log returns of bars that both have; None for fewer than 30, or where one never moved."""
    import numpy as np  # noqa: PLC0415  (pages without it start sooner)

    from signals.market.selectors import load_window  # noqa: PLC0415

    windows = [
        load_window(instrument_id=each, timeframe=timeframe, bars=CORRELATION_BARS, as_of=as_of)
        for each in (first, second)
    ]
    _, *rows = np.intersect1d(windows[0].open_time, windows[1].open_time, return_indices=True)
    moves = [np.diff(np.log(window.close[row])) for window, row in zip(windows, rows, strict=True)]
    if len(moves[0]) < FEWEST_RETURNS or min(float(each.std()) for each in moves) == 0:
        return None
    return float(np.corrcoef(moves[0], moves[1])[0, 1])


def day_start(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date(), time.min, UTC)


def open_head_exits(position: Position) -> list[Order]:
    """Orders that end the whole position at the next open, oldest first."""
    purposes = [OrderPurpose.SIGNAL_EXIT.value, OrderPurpose.TIME_EXIT.value]
    return list(position.orders.open().filter(number=None, purpose__in=purposes).order_by("id"))

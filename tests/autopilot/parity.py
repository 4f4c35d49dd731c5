"""One month of decisions through services and the paper broker, and through the simulator: what both are given.

`differences` says in words what is not the same, `kinds` counts what the month has met.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from autopilot.engine.market import FractionOfEquity, Limits, Market, Opposite, Signals
from autopilot.engine.order import OrderPurpose, OrderSide, OrderState, OrderType
from autopilot.engine.simulation import REASON_NAMES, REFUSAL_NAMES, Simulation
from autopilot.engine.simulator import simulate
from autopilot.models import Account, EquityPoint, Fill, Order, Position, Trade
from autopilot.selectors import cash_of
from autopilot.services.acting import act_on_decision
from autopilot.services.book_rows import rules_of
from autopilot.services.order_request import OrderRequest
from autopilot.services.paper import HOLE_PATIENCE, fill_orders
from signals.engine.candle import OHLCV, FloatArray
from signals.engine.fill import LIMIT, MARKET, Grid
from signals.engine.timeframe import Timeframe, resample
from signals.market.models import Candle, Instrument
from tests.autopilot.accounts import make_account
from tests.factories import make_instrument, store

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
# Four such parts are paid for: three positions and an entry that waits. Pre-flight keeps money back for what waits,
# which the simulator does not: it cuts at the fill.
CASH, FRACTION = Decimal(10_000), Decimal("0.24")
FEES = {"maker_bps": Decimal(8), "taker_bps": Decimal(10), "slippage_bps": Decimal(2)}
VOLUME_SHARE = Decimal("0.2")
MARKET_TYPES = ("margin", "margin", "spot")


@dataclass(frozen=True, slots=True)
class Case:
    """Each market's candles, signals and steps, in the order in which they are stepped. All have the same times."""

    candles: list[OHLCV]
    signals: list[Signals]
    grids: list[Grid]
    finer: list[OHLCV] | None = None


def walk(bars: int, seed: int, volume: float) -> OHLCV:
    """Prices on whole cents around 100, with gaps between bars."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.008, bars) - 0.02 * np.sin(np.arange(bars) / 40) / 10))
    opened = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0, 0.005, bars))
    high = np.maximum(opened, close) * (1 + rng.uniform(0, 0.009, bars))
    low = np.minimum(opened, close) * (1 - rng.uniform(0, 0.009, bars))
    columns = (np.round(each, 2) for each in (opened, high, low, close))
    times = int(START.timestamp() * 1000) + np.arange(bars, dtype=np.int64) * Timeframe.H1.milliseconds
    return OHLCV(times, *columns, np.round(rng.uniform(0.2, 1.8, bars) * volume, 3))


def month(seed: int = 7, bars: int = 720) -> Case:
    """Simulated. C has a lot so coarse that equity sometimes does not pay for one."""
    volumes = (5_000.0, 40.0, 20_000.0)
    candles = [walk(bars, seed + number, volume) for number, volume in enumerate(volumes)]
    lots = (Decimal("0.001"), Decimal("0.01"), Decimal(24))
    return case_of(candles, [Grid(tick=Decimal("0.01"), lot=lot) for lot in lots], seed)


def month_in_quarters(seed: int = 20, bars: int = 720) -> Case:
    """Simulated, with the quarters of an hour that make up each bar."""
    plain = month(seed, 4 * bars)
    first, hours = plain.candles[0].open_time[0], np.arange(4 * bars) * Timeframe.M15.milliseconds
    quarters = [replace(each, open_time=first + hours) for each in plain.candles]
    candles = [resample(each, "1h", "15m") for each in quarters]
    # Levels so near that many an hour reaches both.
    return replace(case_of(candles, plain.grids, seed, width=0.5), finer=quarters)


def recorded_month(
    shared_data: Path, folder: str, names: list[str], start: datetime, seed: int, thin: float = 1.0
) -> Case:
    """Recorded hours that all three have, `thin` of their volume; levels are as wide as the market's usual hour."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    first, last = (int(each.timestamp() * 1000) for each in (start, start + timedelta(days=31)))
    tables = [pq.read_table(shared_data / "ohlcv" / folder / f"{name}_1h.parquet") for name in names]
    columns = [[table[name].to_numpy() for name in table.column_names] for table in tables]
    common = columns[0][0]
    for each in columns[1:]:
        common = np.intersect1d(common, each[0])
    common = common[(common >= first) & (common < last)]
    candles = [OHLCV(*(each[np.isin(columns[0], common)] for each in columns)) for columns in columns]
    candles = [replace(bars, volume=np.round(bars.volume * thin, 3)) for bars in candles]
    grids = []
    for number, bars in enumerate(candles):
        tick = Decimal(10) ** (Decimal(str(bars.close[0])).adjusted() - 5)
        coarse = Decimal(str(round(float(CASH * FRACTION) / float(bars.close[0]), 3)))
        grids.append(Grid(tick=tick, lot=coarse if number == 2 else Decimal("0.001")))
    return case_of(candles, grids, seed)


def case_of(candles: list[OHLCV], grids: list[Grid], seed: int, width: float = 1.0) -> Case:
    """A: market entries with stop and target, turned by the opposite. B: limits with a trailing stop, in part.

    C: shorts that are not allowed, and longs of less than a lot.
    """
    rng, signals = np.random.default_rng(seed), []
    for number, (bars, grid) in enumerate(zip(candles, grids, strict=True)):
        rows, close, wide = len(bars), bars.close, width * float(np.median(bars.high - bars.low))
        direction = rng.choice(np.array([-1, 0, 0, 0, 0, 0, 1], dtype=np.int8), rows)
        none, exits = np.full(rows, np.nan), rng.random(rows) < 0.15
        if number == 1:
            price, trail = on_tick(close - direction * 0.3 * wide, grid), on_tick(np.full(rows, wide), grid)
            limits = {"kind": LIMIT, "price": price, "trail": trail, "good_bars": 3, "hold_bars": 6}
            signals.append(Signals(direction, none, none, **limits))  # type: ignore[arg-type]
            continue
        stop, target = (on_tick(close + direction * each * wide, grid) for each in (-0.6, 0.8))
        turn = Opposite.CLOSE if number == 0 else Opposite.IGNORE
        signals.append(Signals(direction, stop, target, exits=exits, hold_bars=4, opposite=turn))
    return Case(candles, signals, grids)


def on_tick(prices: FloatArray, grid: Grid) -> FloatArray:
    tick = float(grid.tick)
    told: FloatArray = np.rint(prices / tick) * tick
    return told


def make_paper(**values: Any) -> Account:
    return make_account(**{"cash": CASH, "now": START, "volume_share": VOLUME_SHARE} | values)


def make_instruments(case: Case, **fees: Decimal) -> list[Instrument]:
    found = []
    for grid, market_type, candles in zip(case.grids, MARKET_TYPES, case.candles, strict=True):
        steps = {"tick_size": grid.tick, "lot_step": grid.lot}
        instrument = make_instrument(market_type=market_type, **steps, **FEES | fees)
        store(instrument, Timeframe.H1, candles)
        if case.finer:
            store(instrument, Timeframe.M15, case.finer[len(found)])
        found.append(instrument)
    return found


def markets_of(case: Case, account: Account, instruments: list[Instrument]) -> list[Market]:
    finer = case.finer or [None] * len(case.candles)
    return [
        Market(
            name=instrument.symbol,
            candles=candles,
            grid=grid,
            rates=instrument.cost_rates(),
            rules=rules_of(account, instrument),
            shortable=instrument.market_type != "spot",
            finer=minutes,
        )
        for instrument, candles, grid, minutes in zip(
            instruments, case.candles, case.grids, finer, strict=True
        )
    ]


def run_simulator(markets: list[Market], signals: list[Signals]) -> Simulation:
    return simulate(
        markets, signals, cash=CASH, sizing=FractionOfEquity(FRACTION), limits=Limits(covered=True)
    )


def run_services(case: Case, account: Account, instruments: list[Instrument]) -> None:
    """Bar by bar: the broker first, then what was decided at that close. The broker does not wait for holes."""
    for row, opened in enumerate(case.candles[0].open_time):
        opened_at = datetime.fromtimestamp(int(opened) / 1000, UTC)
        now = opened_at + HOUR
        for instrument in instruments:
            fill_orders(instrument=instrument, timeframe=Timeframe.H1, as_of=now + HOLE_PATIENCE, now=now)
        equity = worth(account)
        for number, instrument in enumerate(instruments):
            signals = case.signals[number]
            request = request_of(case, number, row, equity)
            leaves = signals.exits is not None and bool(signals.exits[row])
            if request is None and not leaves:
                continue
            act_on_decision(
                account=account,
                instrument=instrument,
                timeframe=Timeframe.H1,
                candle_open_time=opened_at,
                request=request,
                leaves=leaves,
                opposite=signals.opposite,
                as_of=now,
                now=now,
                by="test",
            )


def worth(account: Account) -> float:
    held = Position.objects.filter(account=account).exclude(quantity=0)
    return float(cash_of(account) + sum(each.quantity * each.last_close for each in held))


def request_of(case: Case, number: int, row: int, equity: float) -> OrderRequest | None:
    """An entry worth FRACTION of the equity at its price, in whole lots."""
    signals, grid = case.signals[number], case.grids[number]
    if signals.direction[row] == 0:
        return None

    def level(column: FloatArray | None) -> Decimal | None:
        return None if column is None or np.isnan(column[row]) else grid.price(round_to(column[row], grid))

    price, close = level(signals.price), float(case.candles[number].close[row])
    lots = int(float(FRACTION) * equity / (float(price or close) * float(grid.lot)))
    return OrderRequest(
        side=OrderSide.BUY if signals.direction[row] > 0 else OrderSide.SELL,
        order_type=OrderType.MARKET if signals.kind == MARKET else OrderType.LIMIT,
        quantity=lots * grid.lot,
        price=price,
        stop=level(signals.stop_loss),
        target=level(signals.take_profit),
        trail=level(signals.trail),
        good_bars=signals.good_bars,
        hold_bars=signals.hold_bars,
    )


def round_to(price: float, grid: Grid) -> int:
    return round(price / float(grid.tick))


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def fills_of(simulation: Simulation) -> list[tuple[Any, ...]]:
    return sorted(
        (
            simulation.instruments[fill["instrument"]],
            int(fill["at"]),
            int(fill["side"]),
            round(float(fill["quantity"]), 9),
            round(float(fill["price"]), 9),
            round(float(fill["fee"]), 8),
            REASON_NAMES[fill["reason"]],
            bool(fill["ambiguous"]),
        )
        for fill in simulation.fills
    )


def stored_fills(account: Account) -> list[tuple[Any, ...]]:
    fills = Fill.objects.filter(position__account=account).select_related("position__instrument")
    return sorted(
        (
            fill.position.instrument.symbol,
            ms(fill.candle_open_time),
            OrderSide(fill.side).sign,
            round(float(fill.quantity), 9),
            round(float(fill.price), 9),
            round(float(fill.fee), 8),
            fill.reason.replace("_", " "),
            fill.is_ambiguous,
        )
        for fill in fills
    )


# Of an entry that was not filled as asked: the words of both sides for the same fate.
FATES = {
    "the instrument cannot be sold short": "no position",
    "the account pays for less than one lot": "less than one lot",
    "not filled in time": "lapsed",
    "cut to what the account pays for": "cut",
    "the free balance does not cover value and fee": "no funds",
    "": "",
}
CODES = {
    "no_position": "no position",
    "less_than_one_lot": "less than one lot",
    "lapsed": "lapsed",
    "cut_to_balance": "cut",
    "insufficient_funds": "no funds",
    "replaced": "",
    "": "",
}


def orders_of(simulation: Simulation) -> list[tuple[Any, ...]]:
    return sorted(
        (
            simulation.instruments[order["instrument"]],
            int(order["decided_at"]),
            int(order["side"]),
            round(float(order["filled"]), 9),
            FATES.get(REFUSAL_NAMES[order["refusal"]], REFUSAL_NAMES[order["refusal"]]),
        )
        for order in simulation.orders
    )


def stored_orders(account: Account) -> list[tuple[Any, ...]]:
    return sorted(
        (
            order.instrument.symbol,
            ms(order.candle_open_time),
            OrderSide(order.side).sign,
            round(float(order.filled), 9),
            CODES.get(order.reason_code, order.reason_code),
        )
        for order in account.orders.entries().select_related("instrument")
    )


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """What the services have left in the database, read once."""

    orders: list[tuple[Any, ...]]
    fills: list[tuple[Any, ...]]
    trades: list[tuple[float, float, float]]
    points: dict[int, float]

    @staticmethod
    def of(account: Account) -> "Stored":
        trades = Trade.objects.filter(account=account)
        return Stored(
            stored_orders(account),
            stored_fills(account),
            sorted(
                (float(each.net_profit), float(each.entry_price), each.r_multiple or 0.0) for each in trades
            ),
            {ms(point.at): float(point.equity) for point in EquityPoint.objects.filter(account=account)},
        )


def differences(stored: Stored, simulation: Simulation) -> list[str]:
    """What is not the same, in words."""
    found = []
    if orders_of(simulation) != stored.orders:
        told, there = set(orders_of(simulation)), set(stored.orders)
        found.append(f"orders: {sorted(told - there)[:3]}, not {sorted(there - told)[:3]}")
    if fills_of(simulation) != stored.fills:
        told, there = set(fills_of(simulation)), set(stored.fills)
        found.append(f"fills: {sorted(told - there)[:3]}, not {sorted(there - told)[:3]}")
    theirs = sorted(
        (float(each["net_profit"]), float(each["entry_price"]), float(np.nan_to_num(each["r_multiple"])))
        for each in simulation.closed
    )
    if len(stored.trades) != len(theirs) or not np.allclose(stored.trades, theirs, rtol=1e-9, atol=1e-9):
        found.append("trades")
    known, curve = float(CASH), []
    for opened in simulation.times:
        known = stored.points.get(int(opened), known)
        curve.append(known)
    if not np.allclose(curve, simulation.equity, rtol=1e-9, atol=0):
        found.append("equity")
    return found


def kinds(account: Account) -> Counter[str]:
    """How often the month met each kind: fills by reason, gaps, time-outs, parts, refusals and rejections."""
    found: Counter[str] = Counter()
    opens = cache(opened_at)
    for fill in Fill.objects.filter(position__account=account).select_related("order__position"):
        found[fill.reason] += 1
        if fill.reason == "stop":
            opened = opens(fill.order.position.instrument_id, fill.candle_open_time)
            beyond = OrderSide(fill.side).sign * (opened - float(fill.order.price or 0))
            found["gap"] += beyond > float(fill.order.position.tick) / 2
        found["ambiguous"] += fill.is_ambiguous
    for order in Order.objects.filter(account=account, purpose=OrderPurpose.ENTRY.value):
        found["time-out"] += order.type == OrderType.LIMIT and order.state == OrderState.LAPSED
        found["partial"] += 0 < order.filled < order.quantity or order.fills.count() > 1
        found["rejected"] += order.state in {OrderState.REFUSED, OrderState.REJECTED}
    return found


def opened_at(instrument_id: int, moment: datetime) -> float:
    candle = Candle.objects.get(instrument_id=instrument_id, timeframe="1h", open_time=moment)
    return float(candle.open)

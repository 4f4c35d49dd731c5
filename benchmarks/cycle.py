"""A cycle of 100 autopilots, for benchmarks/autopilot.py: rows in, decisions out, in a Postgres of its own."""

import statistics
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from harness import fresh_database

from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe

INSTRUMENTS, BARS, ROUNDS = 100, 700, 5
END = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def walk(seed: int) -> OHLCV:
    """BARS hours and ROUNDS more, the last of which closes at END + ROUNDS hours."""
    rng = np.random.default_rng(seed)
    count = BARS + ROUNDS
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.008, count)))
    opened = np.concatenate(([100.0], close[:-1]))
    reach = np.abs(rng.normal(0, 0.004, (2, count))) * close
    times = int((END - BARS * HOUR).timestamp() * 1000) + 3_600_000 * np.arange(count)
    high, low = np.maximum(opened, close) + reach[0], np.minimum(opened, close) - reach[1]
    return OHLCV(times, opened, high, low, close, rng.uniform(1, 100, count))


def cycle_seconds() -> list[tuple[float, float]]:
    """(clock, processor) of one cycle of all, each on a candle that has just closed; the first warms up, uncounted."""
    with fresh_database():
        from autopilot.engine.cycle import Mode  # noqa: PLC0415
        from autopilot.models import Decision, Instance  # noqa: PLC0415
        from autopilot.services.cycles import run_cycle  # noqa: PLC0415
        from autopilot.services.instances import start_instance  # noqa: PLC0415
        from signals.market.models import Exchange, Instrument  # noqa: PLC0415
        from signals.market.services.candles import store_candles  # noqa: PLC0415

        exchange = Exchange.objects.create(code="binance", name="Binance")
        markets = []
        for number in range(INSTRUMENTS):
            instrument = Instrument.objects.create(
                exchange=exchange,
                symbol=f"T{number}/USDT",
                base=f"T{number}",
                quote="USDT",
                tick_size=Decimal("0.0001"),
                lot_step=Decimal("0.001"),
                market_type="margin",
            )
            candles = walk(number)
            store_candles(instrument=instrument, timeframe=Timeframe.H1, candles=candles)
            markets.append(instrument)
            start_instance(
                instrument=instrument,
                timeframe=Timeframe.H1,
                mode=Mode.PATTERN,
                min_confidence_threshold=1.0,  # judged to the end; publishing wakes others over the network
                auto_execute=True,
                confirmed=True,
                by="benchmark",
                now=END,
            )
        ids = list(Instance.objects.order_by("pk").values_list("pk", flat=True))
        taken = []
        for number in range(ROUNDS + 1):
            moment = END + number * HOUR
            begun, worked = time.perf_counter(), time.process_time()
            for pk in ids:
                run_cycle(instance_id=pk, as_of=moment, now=moment)
            taken.append((time.perf_counter() - begun, time.process_time() - worked))
        made = Decision.objects.exclude(outcome__in=("skipped", "failed", "unchanged")).count()
        if made != INSTRUMENTS * (ROUNDS + 1):
            raise RuntimeError(f"{made} judged decisions, not {INSTRUMENTS * (ROUNDS + 1)}")
        return taken[1:]


def median_seconds() -> tuple[float, float]:
    """By the clock, and of this process's processor time."""
    clocks, processors = zip(*cycle_seconds(), strict=True)
    return statistics.median(clocks), statistics.median(processors)

"""A backtest of ten pairs over three years of 1h, from the form to the page that shows it, by the very job in between.

    python benchmarks/backtest_page.py [--data FOLDER] [--rounds 5] [--markdown docs/benchmarks.md]

FOLDER holds candles as SYMBOL_1h.parquet (timestamp in ms, open, high, low, close, volume), as SANDBOX_DATA does; ten
of them are taken. Without it random walks stand in. The form is posted, the job is run by the worker's task in this
process (a lease, a trial, a report and arrays are written), then the page and its three charts are fetched. Times are
of the processor, without Postgres's, so that what else runs counts less; the clock's stand beside them.
"""

import argparse
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from harness import commit, fresh_database, machine, write_section

BEGIN, END = "<!-- backtest_page.py -->", "<!-- end of backtest_page.py -->"
PAIRS, YEARS = 10, 3
GOALS = {"rsi": 2.0, "moving_average": 2.0, "volatility_breakout": 2.0, "fused": 20.0}
PARTS = ("form", "job", "page", "charts")
HOUR = 3_600_000
FIRST = datetime(2022, 1, 1, tzinfo=UTC)
START, LAST = datetime(2023, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


def candles_of(folder: Path | None) -> dict[str, Any]:
    from signals.engine.candle import OHLCV  # noqa: PLC0415

    if folder is not None:
        import pyarrow.parquet as pq  # noqa: PLC0415

        tables = {path: pq.read_table(path) for path in sorted(folder.glob("*_1h.parquet"))[:PAIRS]}
        if len(tables) < PAIRS:
            raise SystemExit(f"{folder} has {len(tables)} files of 1h candles, {PAIRS} are needed")
        return {
            path.name.removesuffix("_1h.parquet"): OHLCV(*(t[name].to_numpy() for name in t.column_names))
            for path, t in tables.items()
        }
    rows = int((LAST - FIRST) / timedelta(hours=1))
    opened = int(FIRST.timestamp() * 1000) + np.arange(rows) * HOUR
    found = {}
    for number in range(PAIRS):
        rng = np.random.default_rng(number)
        close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.006, rows))), 4)
        first = np.concatenate((close[:1], close[:-1]))
        high, low = np.maximum(first, close) * 1.002, np.minimum(first, close) * 0.998
        found[f"C{number}USDT"] = OHLCV(opened, first, high, low, close, np.full(rows, 1e4))
    return found


def store(markets: dict[str, Any]) -> list[int]:
    """Instruments with their candles, and with chunks of every day."""
    from django.db import connection  # noqa: PLC0415

    from signals.engine.timeframe import Timeframe  # noqa: PLC0415
    from signals.market.models import Exchange, Instrument  # noqa: PLC0415
    from signals.market.services.chunks import build_chunks  # noqa: PLC0415

    exchange, _ = Exchange.objects.get_or_create(code="binance", defaults={"name": "Binance"})
    pks = []
    for name, candles in markets.items():
        base = name.removesuffix("USDT")
        instrument, _ = Instrument.objects.get_or_create(
            exchange=exchange, symbol=f"{base}/USDT", defaults={"base": base, "quote": "USDT"}
        )
        table = "market_candle (instrument_id, timeframe, open_time, open, high, low, close, volume)"
        columns = [getattr(candles, each).tolist() for each in ("open", "high", "low", "close", "volume")]
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for opened, *prices in zip(candles.open_time.tolist(), *columns, strict=True):
                moment = datetime.fromtimestamp(opened / 1000, UTC)
                copy.write_row((instrument.pk, "1h", moment, *prices))
        build_chunks(instrument=instrument, timeframe=Timeframe.H1, as_of=LAST + timedelta(days=30))
        pks.append(instrument.pk)
    return pks


def visitor() -> Any:
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from users.models import User  # noqa: PLC0415

    settings.ALLOWED_HOSTS = ["*"]
    client: Any = Client()
    client.force_login(User.objects.create_superuser("boss", "boss@example.com", "benchmark"))
    return client


def once(client: Any, strategy: str, pks: list[int]) -> tuple[dict[str, float], int]:
    """Seconds of each part, and of the clock in all; how many trades there were."""
    from django.urls import reverse  # noqa: PLC0415

    from research.models import Backtest  # noqa: PLC0415
    from research.selectors import backtests as selectors  # noqa: PLC0415
    from research.tasks import run_backtest  # noqa: PLC0415
    from signals.models import JobState  # noqa: PLC0415

    form = {
        "instruments": pks, "strategy": strategy, "timeframe": "1h", "start": f"{START:%Y-%m-%d}",
        "end": f"{LAST:%Y-%m-%d}", "cash": "10000", "sizing": "fraction", "size": "0.1", "maker_bps": "10",
        "taker_bps": "10", "slippage_bps": "2", "shorts_on_spot": "on",
    }  # fmt: skip
    begun, marks = time.perf_counter(), [time.process_time()]
    answer = client.post(reverse("research:backtests"), form)
    assert answer.status_code == 302, answer.content[:500]
    marks.append(time.process_time())
    asked = Backtest.objects.order_by("-created_at").first()
    assert asked is not None
    run_backtest.run_job(str(asked.job_id))
    marks.append(time.process_time())
    done = Backtest.objects.select_related("job").get(pk=asked.pk)
    assert done.job.state == JobState.SUCCEEDED, done.job.error
    page = client.get(answer.url)
    assert page.status_code == 200
    marks.append(time.process_time())
    for name in ("equity", "drawdown", "trades"):
        figure = client.get(reverse("research:backtest_figure", args=[asked.pk, name]))
        assert figure.status_code == 200
    marks.append(time.process_time())
    parts = dict(zip(PARTS, np.diff(marks).tolist(), strict=True))
    parts["clock"] = time.perf_counter() - begun
    return parts, selectors.trade_count(done)


def measured(pks: list[int], rounds: int) -> dict[str, list[tuple[dict[str, float], int]]]:
    """By strategy: the first run, and `rounds` warm ones; all strategies in turn."""
    client, found = visitor(), {name: [] for name in GOALS}
    for number in range(rounds + 1):
        for name, runs in found.items():
            runs.append(once(client, name, pks))
            print(f"round {number} {name:22} {spent(runs[-1][0]):6.2f} s", runs[-1], flush=True)
    return found


def spent(run: dict[str, float]) -> float:
    return sum(run[part] for part in PARTS)


def section(asked: argparse.Namespace, found: dict[str, list[tuple[dict[str, float], int]]]) -> str:
    told = "recorded candles of spot pairs" if asked.data else "random walks"
    lines = [
        BEGIN,
        f"## A backtest of {PAIRS} pairs over {YEARS} years of 1h, from the form to its page",
        "",
        f"`python benchmarks/backtest_page.py --rounds {asked.rounds}` on {machine()}; commit {commit()}.",
        f"{told.capitalize()} in Postgres. Seconds of the processor, medians of {asked.rounds} warm runs: whole",
        "requests and the worker's task, without Redis, which wakes the worker. The page asks for the end every 0.4 s.",
        "",
        "| | trades | first run | form | job | page | three charts | all, warm | by the clock | |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, runs in found.items():
        first, warm = spent(runs[0][0]), runs[1:]
        parts = {part: statistics.median(each[0][part] for each in warm) for part in warm[0][0]}
        whole = statistics.median(spent(each[0]) for each in warm)
        reached = "reached" if whole <= GOALS[name] else "MISSED"
        cells = " | ".join(f"{parts[part]:.2f}" for part in PARTS)
        lines.append(
            f"| {name} | {warm[0][1]:,} | {first:.2f} | {cells} | **{whole:.2f}** | {parts['clock']:.2f} "
            f"| goal {GOALS[name]:g}: {reached} |"
        )
    return "\n".join([*lines, END, ""])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args()
    with fresh_database():
        text = section(asked, measured(store(candles_of(asked.data)), asked.rounds))
    print(text)
    if asked.markdown:
        write_section(asked.markdown, text, BEGIN, END)
    return 1 if "MISSED" in text else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Candles into Postgres and back into numpy: ours and what people use instead, in one interleaved run.

    python benchmarks/candles.py [--markdown docs/benchmarks.md]

A fresh Postgres of its own is started with durable settings (fsync on) and removed at the end. Every reader's
result is compared with what was written before anything is timed.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from harness import Contender, commit, fresh_database, interleave, machine, verdict, write_section

BEGIN, END = "<!-- candles.py -->", "<!-- end of candles.py -->"
START = datetime(2024, 1, 1, tzinfo=UTC)
YEAR = 525_600
BATCH = 2_000
COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


def generated(bars: int) -> "OHLCV":  # noqa: F821
    """A random walk of one-minute bars, the same in each run."""
    from signals.engine.candle import OHLCV  # noqa: PLC0415

    rng = np.random.default_rng(7)
    close = 30_000 * np.exp(np.cumsum(rng.normal(0, 5e-4, bars)))
    opened = np.concatenate(([30_000.0], close[:-1]))
    wick = rng.uniform(0, 5e-4, (2, bars))
    return OHLCV(
        open_time=int(START.timestamp() * 1000) + np.arange(bars) * 60_000,
        open=opened,
        high=np.maximum(opened, close) * (1 + wick[0]),
        low=np.minimum(opened, close) * (1 - wick[1]),
        close=close,
        volume=rng.uniform(0, 50, bars),
    )


def writers(candles: "OHLCV", peer_bars: int) -> list[Contender]:  # noqa: F821
    """Upserts, each into an empty table and then over rows that all conflict and all differ."""
    from django.db import connection  # noqa: PLC0415

    from signals.engine.candle import OHLCV  # noqa: PLC0415
    from signals.engine.timeframe import Timeframe  # noqa: PLC0415
    from signals.market.models import Candle, Exchange, Instrument  # noqa: PLC0415
    from signals.market.services.candles import store_candles  # noqa: PLC0415

    exchange = Exchange.objects.create(code="benchmark", name="Benchmark")
    ours, theirs = (
        Instrument.objects.create(exchange=exchange, symbol=f"{base}/USD", base=base, quote="USD")
        for base in ("OURS", "PEER")
    )
    columns = [getattr(candles, name) for name in COLUMNS]
    corrected = OHLCV(*columns[:5], candles.volume + 1)
    few, few_corrected = candles[:peer_bars], corrected[:peer_bars]

    def empty() -> None:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE market_candle, market_candlechunk")

    def copy_upsert(bars: OHLCV) -> None:
        store_candles(instrument=ours, timeframe=Timeframe.M1, candles=bars)

    def bulk_create(bars: OHLCV) -> None:
        rows = zip(*(getattr(bars, name).tolist() for name in COLUMNS), strict=True)
        Candle.objects.bulk_create(
            [
                Candle(
                    instrument=theirs, timeframe="1m", open_time=datetime.fromtimestamp(opened / 1000, UTC),
                    open=o, high=h, low=low, close=c, volume=v,
                )
                for opened, o, h, low, c, v in rows
            ],
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["instrument", "timeframe", "open_time"],
            update_fields=list(COLUMNS[1:]),
        )  # fmt: skip

    def ours_into_empty() -> None:
        copy_upsert(candles)

    def peer_into_empty() -> None:
        bulk_create(few)

    return [
        Contender("ours, empty table", ours_into_empty, len(candles), empty),
        Contender("ours, every bar corrected", lambda: copy_upsert(corrected), len(candles)),
        Contender("ours, nothing has changed", lambda: copy_upsert(corrected), len(candles)),
        Contender("bulk_create(update_conflicts), empty table", peer_into_empty, peer_bars, empty),
        Contender(
            "bulk_create(update_conflicts), every bar corrected",
            lambda: bulk_create(few_corrected),
            peer_bars,
        ),
    ]


def readers(candles: "OHLCV") -> list[Contender]:  # noqa: F821
    """A year of one-minute bars back into numpy."""
    import psycopg  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    from signals.engine.timeframe import Timeframe  # noqa: PLC0415
    from signals.market.models import Candle, CandleChunk, Instrument  # noqa: PLC0415
    from signals.market.selectors import load_range  # noqa: PLC0415
    from signals.market.services.candles import store_candles  # noqa: PLC0415
    from signals.market.services.chunks import build_chunks  # noqa: PLC0415

    chunked, plain = Instrument.objects.order_by("pk")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE market_candle, market_candlechunk")
    end = START + timedelta(minutes=len(candles))
    for instrument in (chunked, plain):
        store_candles(instrument=instrument, timeframe=Timeframe.M1, candles=candles)
    build_chunks(instrument=chunked, timeframe=Timeframe.M1, as_of=end)
    assert CandleChunk.objects.count() == len(candles) // 1_440
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE market_candle, market_candlechunk")

    query = (
        "SELECT (extract(epoch FROM open_time) * 1000)::bigint, open, high, low, close, volume FROM market_candle "
        f"WHERE instrument_id = {plain.pk} AND timeframe = '1m' ORDER BY open_time"
    )

    def ours(instrument: Instrument) -> list[np.ndarray]:
        read = load_range(instrument_id=instrument.pk, timeframe=Timeframe.M1, start=START, end=end)
        return [getattr(read, name) for name in COLUMNS]

    def values_list() -> list[np.ndarray]:
        rows = Candle.objects.filter(instrument=plain, timeframe="1m").order_by("open_time")
        return list(np.array(list(rows.values_list(*COLUMNS[1:]))).T)

    def psycopg_binary() -> list[np.ndarray]:
        with psycopg.Cursor(connection.connection) as cursor:
            return list(np.array(cursor.execute(query, binary=True).fetchall()).T)

    found = [
        Contender("ours, closed days as chunks", lambda: ours(chunked), len(candles)),
        Contender("ours, rows by binary COPY", lambda: ours(plain), len(candles)),
        Contender("Django values_list (5 prices, no time)", values_list, len(candles)),
        Contender("psycopg, binary cursor", psycopg_binary, len(candles)),
        *installed_peers(query, len(candles)),
    ]
    for contender in found:
        require_equal(contender, candles)
    return found


def installed_peers(query: str, bars: int) -> Iterator[Contender]:
    """Readers of benchmarks/requirements.txt; absent ones are named and left out."""
    from django.db import connection  # noqa: PLC0415

    settings = connection.settings_dict
    if find_spec("adbc_driver_postgresql"):
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415

        adbc = dbapi.connect(f"postgresql://{settings['USER']}@/{settings['NAME']}?host={settings['HOST']}")

        def read_adbc() -> list[np.ndarray]:
            with adbc.cursor() as cursor:
                cursor.execute(query)
                table = cursor.fetch_arrow_table()
            return [column.to_numpy() for column in table.columns]

        yield Contender("ADBC, Arrow", read_adbc, bars)
    if find_spec("asyncpg"):
        import asyncio  # noqa: PLC0415

        import asyncpg  # noqa: PLC0415

        loop = asyncio.new_event_loop()
        opened = asyncpg.connect(host=settings["HOST"], user=settings["USER"], database=settings["NAME"])
        peer = loop.run_until_complete(opened)

        def read_asyncpg() -> list[np.ndarray]:
            return list(np.array([tuple(row) for row in loop.run_until_complete(peer.fetch(query))]).T)

        yield Contender("asyncpg", read_asyncpg, bars)


def require_equal(contender: Contender, candles: "OHLCV") -> None:  # noqa: F821
    """Speed of a wrong answer is worth nothing."""
    read = contender.run()
    assert isinstance(read, list)
    names = COLUMNS if len(read) == len(COLUMNS) else COLUMNS[1:]
    for name, column in zip(names, read, strict=True):
        assert np.array_equal(column, getattr(candles, name)), f"{contender.name} read another {name}"


def table(title: str, contenders: list[Contender], yardstick: Contender) -> str:
    lines = [
        f"### {title}\n",
        f"| | candles | median s | spread s | candles/s | × {yardstick.name} |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for one in sorted(contenders, key=lambda contender: -contender.rate):
        spread = f"{min(one.seconds):.3f}–{max(one.seconds):.3f}"
        lines.append(
            f"| {one.name} | {one.bars:,} | {statistics.median(one.seconds):.3f} | {spread} "
            f"| {one.rate:,.0f} | {one.rate / yardstick.rate:.1f} |"
        )
    return "\n".join(lines) + "\n"


def report(ingest: list[Contender], reading: list[Contender], command: str) -> str:
    into_empty, corrected = ingest[3], ingest[4]
    values_list = reading[2]
    return "\n".join(
        [
            BEGIN,
            "# Candles into Postgres and back\n",
            f"`{command}`, commit {commit()}, {datetime.now(UTC):%Y-%m-%d}.",
            f"{machine()}; Postgres {postgres_version()} with fsync on and default memory, over a unix socket.",
            f"Medians of {len(ingest[0].seconds)} interleaved rounds after a warm-up; peers ran beside ours in each.",
            "The peer upserts a slice, since all of them would take it minutes: compare rates, not seconds.",
            "What each reader returned was compared with what was written, number by number, before any timing.\n",
            table("Upsert", ingest, into_empty),
            verdict("ours ÷ bulk_create, empty table", ingest[0].rate / into_empty.rate, 5),
            verdict("ours ÷ bulk_create, every bar corrected", ingest[1].rate / corrected.rate, 5),
            "",
            table("An instrument-year of 1m candles into numpy", reading, values_list),
            verdict("closed days ÷ values_list", reading[0].rate / values_list.rate, 20),
            END,
            "",
        ]
    )


def postgres_version() -> str:
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candles", type=int, default=1_000_000, help="to upsert")
    parser.add_argument("--peer-candles", type=int, default=20_000, help="the peer's slice of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", type=Path, help="write the section here as well")
    asked = parser.parse_args()
    with fresh_database():
        ingest = writers(generated(asked.candles), asked.peer_candles)
        interleave(ingest, asked.rounds)
        reading = readers(generated(YEAR))
        interleave(reading, asked.rounds)
        text = report(ingest, reading, f"python benchmarks/candles.py --rounds {asked.rounds}")
    print(text)
    if asked.markdown:
        write_section(asked.markdown, text, BEGIN, END)
    return 1 if "MISSED" in text else 0


if __name__ == "__main__":
    sys.exit(main())

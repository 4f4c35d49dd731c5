"""The pages Archive and Analytics over 200,000 signals with outcomes: whole requests, the median of seven.

    python benchmarks/archive.py [--rows 200000] [--rounds 7] [--markdown docs/benchmarks.md]

The rows are made by SQL past the ledger's triggers, in a database of their own; the cache is emptied before each
request, so that a first view is timed.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from harness import commit, fresh_database, machine, write_section

BEGIN, END = "<!-- archive.py -->", "<!-- end of archive.py -->"
GOAL_MS = 500
PAGES = (
    ("Archive, first page", "research:archive", ""),
    ("Archive, a page in the middle", "research:archive", "?before={middle}"),
    ("Archive, gains of one strategy", "research:archive", "?strategy=macd&result=win"),
    ("Archive, a frequent word in the reasons", "research:archive", "?text=oversold"),
    ("Archive, a rare word in the reasons", "research:archive", "?text=unicorn"),
    ("Archive, one month", "research:archive", "?start=2025-03-01&end=2025-03-31"),
    *((f"Analytics by {name}, all time", "research:analytics", f"?by={name}&period=all")
      for name in ("strategy", "source", "session", "instrument", "month", "tier", "answer")),
)  # fmt: skip


def make_rows(rows: int) -> None:
    from django.db import connection  # noqa: PLC0415

    from signals.market.models import Exchange, Instrument  # noqa: PLC0415

    exchange, _ = Exchange.objects.get_or_create(code="binance", defaults={"name": "Binance"})
    pks = [
        Instrument.objects.create(exchange=exchange, symbol=f"C{n}/USDT", base=f"C{n}", quote="USDT").pk
        for n in range(10)
    ]
    hour = "timestamptz '2003-06-01' + n * interval '1 hour'"
    signals = {
        "sequence": "n", "public_id": "gen_random_uuid()", "instrument_id": f"{pks[0]} + n % 10",
        "timeframe": "'1h'", "candle_open_time": hour, "source": "(array['hybrid', 'autopilot'])[1 + n % 2]",
        "variant": "''", "strategy": "(array['rsi', 'macd', 'dca', 'momentum', 'grid'])[1 + n % 5]",
        "direction": "'long'", "confidence": "0.5 + (n % 50) / 100.0",
        "entry_price": "100", "stop_loss": "95", "take_profit": "110", "standing": "''", "evidence": "''",
        "reasons": "array['RSI at ' || n % 30 || ', oversold', 'the 4h candles agree', "
                   "CASE n % 50000 WHEN 7 THEN 'a unicorn' ELSE 'MACD crossed above its signal' END]",
        "experimental": "n % 7 = 0",
        "sessions": "(array['{{london}}', '{{london,new_york}}', '{{}}'])[1 + n % 3]::varchar[]",
        "published_at": f"{hour} + interval '1 hour 2 seconds'", "expires_at": f"{hour} + interval '5 hours'",
    }  # fmt: skip
    outcomes = {
        "signal_id": "s.id", "sequence": "s.sequence + {rows}",
        "exit_reason": "(array['target', 'stop', 'time'])[1 + n % 3]",
        "entered_at": "s.published_at", "exited_at": "s.published_at + (n % 30) * interval '1 hour'",
        "entry_price": "100", "exit_price": "101", "return_ratio": "0.01",
        "r_multiple": "sin(n * 12.9898) * 1.5 + 0.05", "best_r": "1", "worst_r": "-1", "bars_held": "n % 30",
        "is_ambiguous": "false", "maker_bps": "10", "taker_bps": "10", "slippage_bps": "2",
        "recorded_at": "s.published_at + interval '31 hours'",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            f"INSERT INTO signals_signal ({', '.join(signals)}) SELECT {', '.join(signals.values())} "
            f"FROM generate_series(1, {rows}) AS n".replace("{{", "{").replace("}}", "}")
        )
        values = ", ".join(outcomes.values()).replace("{rows}", str(rows))
        cursor.execute(
            f"INSERT INTO signals_signaloutcome ({', '.join(outcomes)}) SELECT {values} "
            "FROM (SELECT *, sequence AS n FROM signals_signal) AS s"
        )
        cursor.execute("ANALYZE")
        cursor.execute("SET session_replication_role = DEFAULT")


def measured(rows: int, rounds: int) -> list[tuple[str, float, float]]:
    """Median and slowest, in ms."""
    from django.conf import settings  # noqa: PLC0415
    from django.core.cache import cache  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.urls import reverse  # noqa: PLC0415

    from users.models import User  # noqa: PLC0415

    settings.ALLOWED_HOSTS = ["*"]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    client: Any = Client()
    client.force_login(User.objects.create_superuser("boss", "boss@example.com", "benchmark"))
    found = []
    for title, name, query in PAGES:
        address = reverse(name) + query.format(middle=rows // 2)
        seconds = []
        for number in range(rounds + 1):
            cache.clear()
            begun = time.perf_counter()
            answer = client.get(address)
            assert answer.status_code == 200, answer.status_code
            assert len(answer.content) > 1000
            if number:
                seconds.append(time.perf_counter() - begun)
        found.append((title, statistics.median(seconds) * 1000, max(seconds) * 1000))
        print(f"{title:45} {found[-1][1]:7.0f} ms  {found[-1][2]:7.0f} ms", flush=True)
    return found


def section(rows: int, found: list[tuple[str, float, float]]) -> str:
    lines = [
        BEGIN,
        f"## Archive and analytics over {rows:,} signals with outcomes",
        "",
        f"`python benchmarks/archive.py` on {machine()}; commit {commit()}.",
        f"Whole requests, the cache emptied before each; goal {GOAL_MS} ms.",
        "",
        "| Page | median, ms | slowest, ms | |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {title} | {median:.0f} | {slowest:.0f} | {'reached' if median <= GOAL_MS else 'MISSED'} |"
        for title, median, slowest in found
    ]
    return "\n".join([*lines, END, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args()
    with fresh_database():
        make_rows(asked.rows)
        text = section(asked.rows, measured(asked.rows, asked.rounds))
        if asked.markdown:
            write_section(asked.markdown, text, BEGIN, END)
        else:
            print(text)


if __name__ == "__main__":
    main()

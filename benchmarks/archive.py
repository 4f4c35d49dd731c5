"""The pages Archive and Analytics over 200,000 signals with outcomes: whole requests, the median of seven.

    python benchmarks/archive.py [--rows 200000] [--rounds 7] [--markdown docs/benchmarks.md]

Three years of ten instruments in a database of its own: the rows are made by SQL past the ledger's triggers, their
blocks by the task that makes them in life. The cache is emptied before each request, so that a first view is timed.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from archive_rows import make_rows
from harness import commit, fresh_database, machine, write_section

BEGIN, END = "<!-- archive.py -->", "<!-- end of archive.py -->"
GOAL_MS = 500
PAGES = (
    ("Archive, first page", "research:archive", ""),
    ("Archive, a page in the middle", "research:archive", "?before={middle}"),
    ("Archive, gains of one strategy", "research:archive", "?strategy=macd&result=win"),
    ("Archive, a frequent word in the reasons", "research:archive", "?text=oversold"),
    ("Archive, a rare word in the reasons", "research:archive", "?text=unicorn"),
    ("Archive, words in this order", "research:archive", "?text=RSI+at+21"),
    ("Archive, one month", "research:archive", "?start=2025-03-01&end=2025-03-31"),
    ("Archive, one instrument and session", "research:archive", "?instrument={instrument}&session=london"),
    ("Archive, shorts that were stopped", "research:archive", "?direction=short&exit=stop"),
    ("Archive, confident and open", "research:archive", "?confidence=0.95&result=open"),
    ("Archive, a source, variant and timeframe", "research:archive", "?source=hybrid&variant=b&timeframe=1h"),
    ("Export of all as CSV, the first piece", "research:archive_export", ""),
    ("Analytics, first view", "research:analytics", ""),
    *((f"Analytics by {name}, all time", "research:analytics", f"?by={name}&period=all")
      for name in ("strategy", "source", "regime", "session", "instrument", "month", "tier", "answer")),
    *((f"Analytics of {period}", "research:analytics", f"?period={period}") for period in ("30d", "90d")),
)  # fmt: skip


def measured(rows: int, rounds: int) -> list[tuple[str, float, float, float]]:
    """Median, slowest, and the web process's own processor time, in ms."""
    from django.conf import settings  # noqa: PLC0415
    from django.core.cache import cache  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.urls import reverse  # noqa: PLC0415

    from signals.market.models import Instrument  # noqa: PLC0415
    from users.models import User  # noqa: PLC0415

    settings.ALLOWED_HOSTS = ["*"]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    client: Any = Client()
    client.force_login(User.objects.create_superuser("boss", "boss@example.com", "benchmark"))
    found = []
    instrument = Instrument.objects.earliest("pk").pk
    for title, name, query in PAGES:
        address = reverse(name) + query.format(middle=rows // 2, instrument=instrument)
        seconds, processor = [], []
        for number in range(rounds + 1):
            cache.clear()
            begun, used = time.perf_counter(), time.process_time()
            answer = client.get(address)
            first = next(iter(answer.streaming_content)) if answer.streaming else answer.content
            assert answer.status_code == 200, answer.status_code
            assert len(first) > 1000
            if number:
                seconds.append(time.perf_counter() - begun)
                processor.append(time.process_time() - used)
            answer.close()
        times = (statistics.median(seconds), max(seconds), statistics.median(processor))
        found.append((title, *(each * 1000 for each in times)))
        print(f"{title:45} {found[-1][1]:7.0f} ms  {found[-1][2]:7.0f} ms", flush=True)
    return found


def section(rows: int, found: list[tuple[str, float, float, float]]) -> str:
    lines = [
        BEGIN,
        f"## Archive and analytics over {rows:,} signals with outcomes",
        "",
        f"`python benchmarks/archive.py` on {machine()}; commit {commit()}.",
        f"Whole requests, the cache emptied before each; goal {GOAL_MS} ms.",
        "",
        "| Page | median, ms | slowest, ms | processor of the web process, ms | |",
        "|---|--:|--:|--:|---|",
    ]
    lines += [
        f"| {title} | {median:.0f} | {slowest:.0f} | {used:.0f} | {'reached' if median <= GOAL_MS else 'MISSED'} |"
        for title, median, slowest, used in found
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

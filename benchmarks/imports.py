"""A file of 300,000 one-minute bars through `manage.py import_candles`, start of the process included.

    python benchmarks/imports.py [--rows 300000] [--rounds 3] [--markdown docs/benchmarks.md]

A fresh Postgres of its own is started with durable settings. What was stored is counted after each run.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from harness import REPOSITORY, commit, fresh_database, machine, write_section

BEGIN, END = "<!-- imports.py -->", "<!-- end of imports.py -->"
START_SECONDS = 1_704_067_200
GOAL_SECONDS, GOAL_MEGABYTES = 4.0, 250

# A child's peak memory begins with that of the process that started it, so a small one starts it.
LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


@dataclass(frozen=True)
class Run:
    wall: float
    cpu: float
    megabytes: int


def write_files(folder: Path, rows: int) -> dict[str, Path]:
    """The same random walk as unix seconds with a header, as local text, and as Binance's dump without a header."""
    rng = np.random.default_rng(7)
    close = np.round(30_000 * np.exp(np.cumsum(rng.normal(0, 5e-4, rows))), 2)
    opened = np.concatenate(([30_000.0], close[:-1]))
    high, low = np.round(np.maximum(opened, close) + 1, 2), np.round(np.minimum(opened, close) - 1, 2)
    volume = np.round(rng.uniform(0.1, 50, rows), 6)
    seconds = START_SECONDS + np.arange(rows) * 60
    bars = list(zip(seconds.tolist(), *(c.tolist() for c in (opened, high, low, close, volume)), strict=True))
    header = "time,open,high,low,close,volume\n"
    lines = {
        "unix seconds": ("x_1m.csv", header, lambda t, *b: f"{t}," + ",".join(map(repr, b))),
        "text": (
            "y_1m.csv",
            header,
            lambda t, *b: f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d %H:%M:%S}," + ",".join(map(repr, b)),
        ),
        "Binance, no header": (
            "BTCUSDT-1m-2024-01.csv",
            "",
            lambda t, *b: (
                f"{t * 1000}," + ",".join(map(repr, b)) + f",{t * 1000 + 59_999},{b[4] * b[3]:.6f},9,1,2,0"
            ),
        ),
    }
    found = {}
    for name, (file, head, line) in lines.items():
        found[name] = folder / file
        found[name].write_text(head + "\n".join(line(*bar) for bar in bars) + "\n")
    return found


def run(path: Path, exchange: str) -> Run:
    command = [sys.executable, "manage.py", "import_candles", str(path), "--exchange", exchange]
    begun = time.perf_counter()
    told = subprocess.run(
        [sys.executable, "-c", LAUNCHER, *command, "--symbol", "BTC/USDT"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    cpu, kilobytes = told.stdout.split()[-2:]
    return Run(time.perf_counter() - begun, float(cpu), int(kilobytes) // 1024)


def report(runs: dict[str, list[Run]], rows: int, command: str) -> str:
    lines = [
        BEGIN,
        f"# Importing a file of {rows:,} rows\n",
        f"`{command}`, commit {commit()}, {datetime.now(UTC):%Y-%m-%d}. {machine()}.\n",
        "| file | wall s, median | wall s, best | CPU s of the command | peak MB |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, found in runs.items():
        wall = [one.wall for one in found]
        cpu, peak = min(one.cpu for one in found), max(one.megabytes for one in found)
        lines.append(f"| {name} | {statistics.median(wall):.2f} | {min(wall):.2f} | {cpu:.2f} | {peak} |")
    slowest = max(statistics.median(one.wall for one in found) for found in runs.values())
    largest = max(one.megabytes for found in runs.values() for one in found)
    seconds, memory = (
        "reached" if value <= goal else "MISSED"
        for value, goal in ((slowest, GOAL_SECONDS), (largest, GOAL_MEGABYTES))
    )
    lines.append("")
    lines.append(f"- slowest median: **{slowest:.1f} s**, goal {GOAL_SECONDS:g} s: {seconds}")
    lines.append(f"- largest: **{largest} MB**, goal {GOAL_MEGABYTES} MB: {memory}")
    lines += [END, ""]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown", type=Path, help="write the section here as well")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, fresh_database():
        from signals.market.models import Candle  # noqa: PLC0415

        files = write_files(Path(folder), asked.rows)
        runs: dict[str, list[Run]] = {name: [] for name in files}
        for number in range(asked.rounds):
            for name, path in files.items():
                exchange = f"x{number}-{len(name)}"
                runs[name].append(run(path, exchange))
                assert Candle.objects.filter(instrument__exchange__code=exchange).count() == asked.rows
        text = report(runs, asked.rows, f"python benchmarks/imports.py --rounds {asked.rounds}")
    print(text)
    if asked.markdown:
        write_section(asked.markdown, text, BEGIN, END)
    return 1 if "MISSED" in text else 0


if __name__ == "__main__":
    sys.exit(main())

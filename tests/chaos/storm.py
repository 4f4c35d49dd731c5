"""`python -m tests.chaos.storm`: Telegram answers a third of all calls badly; count what came of every row.

Everything is real: Postgres, `manage.py send_deliveries` with its own pace and lease, the sandbox with
Telegram's limits. The sandbox draws from the seed what it does to each call; the judge is its fsynced journal
of all calls, by its own clock. Most of the time every bot waits for the end of a retry_after, so several
systems, each with a bot, a sender and a database of its own, share the rows and run side by side.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import django

from tests.chaos.services import REPOSITORY, services, write_result
from tests.chaos.storm_judge import total


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rows-per-chat", type=int, default=5)
    parser.add_argument("--systems", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first system; the next has the next one")
    parser.add_argument("--write", action="store_true", help="the figures into docs/reliability.md")
    options = parser.parse_args()
    reports = [one_system(options)] if options.systems == 1 else side_by_side(options)
    report = total(reports)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    if options.write:
        write_result("storm", sys.argv[1:], report)
    return int(report["failed"])


def one_system(options: argparse.Namespace) -> dict[str, Any]:
    with services() as state:
        django.setup()
        from tests.chaos.storm_experiment import run  # noqa: PLC0415  (settings read the environment just made)

        report = run(options, state)
    return asdict(report) | {"failed": report.failed}


def side_by_side(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The reports of systems that run at the same time, each in a process of its own."""
    rows = options.rows // options.systems
    command = [sys.executable, "-m", "tests.chaos.storm", "--systems", "1", "--rows", str(rows)]
    command += ["--rows-per-chat", str(options.rows_per_chat)]
    systems = [
        subprocess.Popen(
            [*command, "--seed", str(options.seed + number)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(options.systems)
    ]
    return [json.loads(system.communicate()[0]) for system in systems]


if __name__ == "__main__":
    sys.exit(main())

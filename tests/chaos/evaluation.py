"""`python -m tests.chaos.evaluation`: kill -9 the worker and FLUSHALL Redis while candles are judged, then count.

Everything is real and its own: Postgres, Redis, the sandbox's exchange for its clock, a Celery worker, beat
with the sweeper's own entry (more often than in production, so that it takes minutes). Each instrument has
some hours of candles nobody judged, and a newest one whose windows hold a signal. Before each kill some
newest candles are announced twice, as `candles_closed` would, so that wake-ups and sweeps meet.
"""

import argparse
import json
import sys
from dataclasses import asdict

import django

from tests.chaos.services import services, write_result


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.evaluation", description=__doc__)
    parser.add_argument("--instruments", type=int, default=40)
    parser.add_argument(
        "--missed", type=int, default=24, help="candles of each instrument, the newest included"
    )
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--flushes", type=int, default=4, help="spread over the kills, and one at the end")
    parser.add_argument("--sweep-seconds", type=int, default=5, help="30 in production")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="the figures into docs/reliability.md")
    options = parser.parse_args()
    with services() as state:
        django.setup()
        from tests.chaos.evaluation_experiment import run  # noqa: PLC0415  (settings read the environment just made)

        report = run(options, state)
    figures = asdict(report) | {"failed": report.failed}
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    if options.write:
        write_result("evaluation", sys.argv[1:], figures)
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())

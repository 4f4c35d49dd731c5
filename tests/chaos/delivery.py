"""`python -m tests.chaos.delivery`: kill -9 the sender and the worker while signals flow, then count.

Everything is real and its own: Postgres, Redis, the sandbox, `manage.py send_deliveries`, a Celery worker.
The judge is the sandbox's fsynced journal of accepted messages, not our tables. Telegram's limits and the
sender's pace are off for speed; the sandbox takes its time with each call, half of it before and half
after it accepts, so that a kill may hit on either side.
"""

import argparse
import json
import sys
from dataclasses import asdict

import django

from tests.chaos.services import services, write_result


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.delivery", description=__doc__)
    parser.add_argument("--signals", type=int, default=500)
    parser.add_argument("--subscribers", type=int, default=40)
    parser.add_argument("--kills", type=int, default=10, help="of the sender")
    parser.add_argument("--worker-kills", type=int, default=10)
    parser.add_argument("--taps", type=int, default=500)
    parser.add_argument("--latency-ms", type=int, default=40, help="of the sandbox")
    parser.add_argument("--publish-seconds", type=float, default=60.0)
    parser.add_argument(
        "--between-kills", type=float, default=5.0, help="longest time between kills, seconds"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="the figures into docs/reliability.md")
    options = parser.parse_args()
    with services() as state:
        django.setup()
        from tests.chaos.delivery_experiment import run  # noqa: PLC0415  (settings read the environment just made)

        report = run(options, state)
    figures = asdict(report) | {"failed": report.failed}
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    if options.write:
        write_result("delivery", sys.argv[1:], figures)
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())

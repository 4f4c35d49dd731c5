"""`python -m tests.chaos.scale`: two webs, two workers, two senders and one beat, each a process group of its own.

They share one Postgres, one Redis and, where Debian's `rabbitmq-server` is installed, RabbitMQ as the broker of all
wake-ups. Candles are judged, signals go out; in the middle of it a web, a worker and the sender that leads are killed
with -9 and not started again. What is left does the rest, and nothing twice. Without RabbitMQ: `--broker redis`.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

from tests.chaos.rabbitmq import RABBITMQ, rabbitmq
from tests.chaos.services import services, write_result


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.scale", description=__doc__)
    parser.add_argument("--broker", choices=["rabbitmq", "redis"], default="rabbitmq")
    parser.add_argument("--instruments", type=int, default=24)
    parser.add_argument(
        "--missed", type=int, default=6, help="candles of each instrument, the newest included"
    )
    parser.add_argument("--subscribers", type=int, default=50)
    parser.add_argument("--write", action="store_true", help="the figures into docs/reliability.md")
    options = parser.parse_args()
    if options.broker == "rabbitmq" and not RABBITMQ.exists():
        raise SystemExit("no RabbitMQ: install Debian's package rabbitmq-server, or ask for --broker redis")
    with services() as state, broker(options.broker, state):
        django.setup()
        from tests.chaos.scale_experiment import run  # noqa: PLC0415  (settings read the environment just made)

        figures = run(options, state)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    if options.write:
        write_result("scale", sys.argv[1:], figures)
    return int(bool(figures["failed"]))


@contextmanager
def broker(name: str, state: Path) -> Iterator[None]:
    if name == "redis":
        yield
        return
    with rabbitmq(state) as url:
        os.environ["BROKER_URL"] = url
        yield


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.chaos.orders`: intents against an exchange that lies, an executor that is killed at named points.

The exchange's own book on disk is the judge: no intent is there twice, nothing of ours is there that we do not know,
no intent was ended by time alone, and every position is what the exchange holds.
"""

import argparse
import json
import sys

import django

from tests.chaos.services import services, write_result


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.orders", description=__doc__)
    parser.add_argument("--intents", type=int, default=2000, help="that went to the exchange")
    parser.add_argument("--per-point", type=int, default=10, help="kills at each named point")
    parser.add_argument("--accounts", type=int, default=3)
    parser.add_argument("--longest", type=float, default=1140.0, help="seconds for the intents")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="the figures into docs/reliability.md")
    options = parser.parse_args()
    with services() as state:
        django.setup()
        from tests.chaos.orders_experiment import run  # noqa: PLC0415  (settings read the environment just made)

        figures = run(options, state)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    if options.write:
        write_result("orders", sys.argv[1:], figures)
    return int(figures["failed"])


if __name__ == "__main__":
    sys.exit(main())

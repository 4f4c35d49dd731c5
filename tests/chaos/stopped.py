"""`python -m tests.chaos.stopped`: SIGSTOP each process of the system, and see who says so, where and how soon.

The system is `manage.py up` with all that it starts. Afterwards the kill switch is engaged by hand while signals
are on their way, and the sender is killed while rows are in `sending`, under the lease of production.
"""

import argparse
import json
import sys

import django

from tests.chaos.services import services, write_result


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.stopped", description=__doc__)
    parser.add_argument("--engagements", type=int, default=5, help="of the kill switch")
    parser.add_argument("--kills", type=int, default=3, help="of the sender, under its real lease")
    parser.add_argument("--write", action="store_true", help="the figures into docs/reliability.md")
    options = parser.parse_args()
    with services() as state:
        django.setup()
        from tests.chaos.stopped_experiment import run  # noqa: PLC0415  (settings read the environment just made)

        figures = run(options, state)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    if options.write:
        write_result("stopped", sys.argv[1:], figures)
    return int(figures["failed"])


if __name__ == "__main__":
    sys.exit(main())

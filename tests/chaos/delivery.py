"""`python -m tests.chaos.delivery`: kill -9 everything while signals flow, then count what arrived.

Each seed builds a system of its own as `manage.py up` does: the embedded Postgres and Redis, web, worker, beat and
sender under the real supervisor, which alone brings back what dies; beside it a sandbox, and a process that
publishes. First sender, web, publisher, worker and beat are killed and made to die at their crash points, all at
the same time; then Postgres (half the time with all its backends) and Redis are killed and Redis is emptied.
The judge is the sandbox's fsynced journal of accepted messages. Telegram's limits and the sender's pace are off
for speed; the sandbox takes its time with each call, half of it before and half after it accepts.

The first seed has the real lease and the supervisor's real backoff, up to 10 s; in the others both are short, so
that many kills fit in: a lease only decides how long nobody sends after a kill.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from tests.chaos.report import Plan, Report
from tests.chaos.services import COMMIT, REPOSITORY, write_result

REAL_LEASE_SECONDS = 30.0
REAL_LONGEST_DELAY = 10.0
QUICK = {"seeds": 1, "signals": 20, "subscribers": 10, "kills": 4, "other_kills": 1, "per_point": 1}
QUICK |= {"postgres": 2, "redis": 2, "flushes": 1}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.delivery", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument(
        "--signals", type=int, default=500, help="of each seed; more when the kills need more"
    )
    parser.add_argument("--subscribers", type=int, default=40)
    parser.add_argument("--kills", type=int, default=100, help="of the sender, shared by the seeds")
    parser.add_argument("--other-kills", type=int, default=30, help="of each of web, worker, beat, publisher")
    parser.add_argument("--per-point", type=int, default=20, help="deaths at each crash point")
    parser.add_argument("--postgres", type=int, default=50, help="kills")
    parser.add_argument("--redis", type=int, default=50, help="kills")
    parser.add_argument("--flushes", type=int, default=10, help="FLUSHALL")
    parser.add_argument("--latency-ms", type=int, default=60, help="of the sandbox")
    parser.add_argument("--lease-seconds", type=float, default=4.0, help="of all seeds but the first")
    parser.add_argument("--longest-delay", type=float, default=1.0, help="of all seeds but the first")
    parser.add_argument(
        "--quick", action="store_true", help="a few minutes: one seed with some of everything"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        help="folder of finished seeds' reports: a run that was cut off goes on from there",
    )
    parser.add_argument("--write", action="store_true", help="the figures into docs/reliability.md")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    total = Report(seeds=[])
    for number in range(options.seeds):
        total.add(_report(_kept(_plan(options, number), options.keep)))
    sys.stdout.write(json.dumps(figures := total.figures(), indent=1) + "\n")
    if options.write:
        write_result("delivery", sys.argv[1:], figures)
    return int(total.failed)


def _plan(options: argparse.Namespace, number: int) -> Plan:
    """The seed's share: counts are divided evenly, rounded up."""

    def share(count: int) -> int:
        return -(-count // options.seeds)

    is_real = number == 0 and options.seeds > 1
    return Plan(
        seed=options.first_seed + number,
        signals=options.signals,
        subscribers=options.subscribers,
        sender_kills=share(options.kills),
        other_kills=share(options.other_kills),
        per_point=share(options.per_point),
        postgres_kills=share(options.postgres),
        redis_kills=share(options.redis),
        flushes=share(options.flushes),
        latency_ms=options.latency_ms,
        lease_seconds=REAL_LEASE_SECONDS if is_real else options.lease_seconds,
        longest_delay=REAL_LONGEST_DELAY if is_real else options.longest_delay,
    )


def _kept(plan: Plan, folder: Path | None) -> str:
    """The seed's report, from the folder where it was made there by this commit and plan."""
    if folder is None:
        return _run(plan)
    given = json.dumps(asdict(plan))
    file = folder / f"{COMMIT}-{sha256(given.encode()).hexdigest()[:12]}.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".new").write_text(_run(plan))
        file.with_suffix(".new").rename(file)
    return file.read_text()


def _run(plan: Plan) -> str:
    """One seed in a process of its own: Django is set up once for each database."""
    command = [sys.executable, "-m", "tests.chaos.seed", json.dumps(asdict(plan))]
    return subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True).stdout


def _report(answer: str) -> Report:
    fields = json.loads(answer)
    counters = {
        name: Counter(value) for name, value in fields.items() if name in {"kills", "crash_points", "states"}
    }
    return Report(**fields | counters)


if __name__ == "__main__":
    sys.exit(main())

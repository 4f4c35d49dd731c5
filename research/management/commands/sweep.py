"""`manage.py sweep`: a search over a strategy's parameters, each combination counted as a trial."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError

from research.management.commands.replay import chosen_instruments
from research.tasks import run_sweep
from signals.engine.timeframe import Timeframe
from signals.management.job_command import JobCommand, parse_instant


def parse_dimension(text: str) -> tuple[str, list[float]]:
    """period=5:30:1; ArgumentTypeError on anything else."""
    name, _, bounds = text.partition("=")
    try:
        low, high, step = (float(each) for each in bounds.split(":"))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not NAME=LOWEST:HIGHEST:STEP, such as period=5:30:1") from error
    return name, [low, high, step]


class Command(JobCommand):
    help = (
        "Search over a strategy's parameters, always walk-forward; every combination is a trial that counts."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--strategy", required=True, help="for example rsi, trend_rule or fused")
        parser.add_argument(
            "--parameter",
            dest="space",
            type=parse_dimension,
            action="append",
            required=True,
            metavar="NAME=LOWEST:HIGHEST:STEP",
            help="may be given several times",
        )
        parser.add_argument("--from", dest="start", type=parse_instant, required=True, metavar="DATE")
        parser.add_argument(
            "--to", dest="end", type=parse_instant, required=True, metavar="DATE", help="exclusive"
        )
        parser.add_argument(
            "--instruments", nargs="+", metavar="SYMBOL", help="all active ones when left out"
        )
        parser.add_argument("--timeframe", choices=[each.value for each in Timeframe], default="1h")
        parser.add_argument("--method", choices=["grid", "random", "optuna"], default="grid")
        parser.add_argument("--number", type=int, default=200, help="of combinations, at most (200)")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--folds", type=int, default=5, help="tests that follow each other (5)")
        parser.add_argument("--embargo", type=int, default=1, metavar="DAYS")

    def handle(
        self,
        *args: Any,
        strategy: str,
        space: list[tuple[str, list[float]]],
        start: datetime,
        end: datetime,
        instruments: list[str] | None,
        background: bool,
        **options: Any,
    ) -> None:
        from research.services.backtest_request import BacktestRequest  # noqa: PLC0415  (compiled code)
        from research.services.sweep_request import SweepRequest  # noqa: PLC0415

        plain = ("method", "number", "seed", "folds", "embargo")
        try:
            base = BacktestRequest(
                instruments=sorted(each.pk for each in chosen_instruments(instruments)),
                strategy=strategy,
                timeframe=options["timeframe"],
                start=start.isoformat(),
                end=end.isoformat(),
            )
            request = SweepRequest(base=base, space=dict(space), **{name: options[name] for name in plain})
        except ValueError as error:
            raise CommandError(str(error)) from error
        job = self.carry_out(
            task=run_sweep, parameters=request.as_json(), background=background, tell=lambda _: None
        )
        if job and job.result:
            best = ", ".join(f"{name} {value:g}" for name, value in job.result["best"].items())
            self.stdout.write(f"{job.result['combinations']} combinations; the best: {best}")
            self.stdout.write(job.result["verdict"])
            self.stdout.write(job.result["walk_forward"])

"""`manage.py replay`: what a stretch of history would have published, and to whom."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Count
from django.utils import timezone

from research.models import ReplayDelivery, ReplayRun
from research.services.replay_history import lacking_history
from research.tasks import replay_span
from signals.management.job_command import JobCommand, parse_instant
from signals.market.models import Instrument


class Command(JobCommand):
    help = "Walk over stored candles, deciding at each 1h close with what was known then. Live tables stay untouched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--from", dest="start", type=parse_instant, required=True, metavar="DATE")
        parser.add_argument(
            "--to", dest="end", type=parse_instant, required=True, metavar="DATE", help="exclusive"
        )
        parser.add_argument(
            "--instruments",
            nargs="+",
            metavar="SYMBOL",
            help="for example BTC/USDT; all active ones when left out",
        )

    def handle(
        self,
        *args: Any,
        start: datetime,
        end: datetime,
        instruments: list[str] | None,
        background: bool,
        **options: Any,
    ) -> None:
        if start >= end:
            raise CommandError(f"--from {start:%Y-%m-%d} must be before --to {end:%Y-%m-%d}.")
        chosen = chosen_instruments(instruments)
        self.name_what_is_lacking(chosen, start, end)
        parameters = {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "instruments": [instrument.pk for instrument in chosen],
        }
        job = self.carry_out(task=replay_span, parameters=parameters, background=background)
        if job and job.result and job.started_at and job.ended_at:
            seconds = (job.ended_at - job.started_at).total_seconds()
            self.report(ReplayRun.objects.get(pk=job.result["replay"]), seconds)

    def name_what_is_lacking(self, chosen: list[Instrument], start: datetime, end: datetime) -> None:
        lacking = lacking_history(chosen, start=start, end=end, now=timezone.now())
        if lacking:
            self.stdout.write("History is missing; decisions that need it are refused. To fetch it:")
        for each in lacking:
            self.stdout.write(f"  {each.words}\n    {each.command}")

    def write_results(self, run: ReplayRun) -> None:
        from research.services.replay_results import replay_results  # noqa: PLC0415  (compiled code)

        results = replay_results(run)
        if results.ended:
            self.stdout.write(
                f"Results after costs: {results.total_r:+.2f} R, mean {results.mean_r:+.2f} R, "
                f"hit rate {results.hit_rate:.0%} of {results.ended} ended, "
                f"deepest drawdown {results.drawdown_r:.2f} R; {results.open} have not ended"
            )

    def report(self, run: ReplayRun, seconds: float) -> None:
        evaluations = sum(run.outcomes.values())
        self.stdout.write(f"\nReplay {run.pk}: {run.start:%Y-%m-%d %H:%M} to {run.end:%Y-%m-%d %H:%M} UTC")
        self.stdout.write(
            f"Evaluations: {evaluations}" + "".join(f", {k} {v}" for k, v in run.outcomes.items())
        )
        if evaluations == run.outcomes.get("no candle"):
            self.stdout.write(
                "No candles are stored there: load them with `manage.py backfill` or `import_candles`."
            )
        self.stdout.write(f"Signals: {run.signals.count()}")
        self.write_results(run)
        for symbol, direction, number in (
            run.signals.values_list("instrument__symbol", "direction")
            .annotate(Count("id"))
            .order_by("instrument__symbol", "direction")
        ):
            self.stdout.write(f"  {symbol:<12} {direction:<6} {number}")
        self.stdout.write("Deliveries that would have been sent, by tier:")
        deliveries = ReplayDelivery.objects.filter(signal__run=run)
        for tier, number in deliveries.values_list("tier").annotate(Count("id")).order_by("tier"):
            self.stdout.write(f"  {tier:<12} {number}")
        self.stdout.write(f"Time: {seconds:.1f} s")


def chosen_instruments(symbols: list[str] | None) -> list[Instrument]:
    wanted = Instrument.objects.active() if symbols is None else Instrument.objects.filter(symbol__in=symbols)
    instruments = list(wanted.select_related("exchange"))
    unknown = set(symbols or ()) - {instrument.symbol for instrument in instruments}
    if unknown:
        raise CommandError(
            f"Unknown instruments: {', '.join(sorted(unknown))}. The console lists those that exist."
        )
    if not instruments:
        raise CommandError(_none_is_active(Instrument.objects.order_by("symbol").first()))
    return instruments


def _none_is_active(first: Instrument | None) -> str:
    if first is None:
        return "There are no instruments: `manage.py demo` makes some, `manage.py import_candles` those of a file."
    return (
        f"No instrument is active. Name those to look at, e.g. --instruments {first.symbol}, or activate them in the "
        "console: Market, Instruments, the action Activate"
    )

"""`manage.py backfill BTC/USDT --timeframe 1h --from 2024-01-01`: history from the exchange, page by page."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from signals.engine.timeframe import Timeframe
from signals.market.management.plain_command import PlainCommand
from signals.market.models import Instrument
from signals.market.providers import ProviderError
from signals.market.services.backfill import backfill, begins_late
from signals.market.services.clock import exchange_time
from signals.market.services.fetching import StoredPage


class Command(PlainCommand):
    help = "Load the closed candles of a span from the exchange. Can be stopped and run again at any time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("symbols", nargs="*", metavar="SYMBOL", help="e.g. BTC/USDT")
        parser.add_argument("--all", action="store_true", help="every active instrument")
        parser.add_argument("--exchange", metavar="CODE", help="needed where two exchanges have the symbol")
        parser.add_argument("--timeframe", type=Timeframe, choices=list(Timeframe), required=True)
        parser.add_argument(
            "--from", dest="start", type=parse_instant, required=True, help="UTC, e.g. 2024-01-01"
        )
        parser.add_argument("--to", dest="end", type=parse_instant, help="UTC, exclusive; default: now")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["symbols"]) == options["all"]:
            raise CommandError("Name one or more symbols, e.g. BTC/USDT, or give --all.")
        if options["end"] and options["end"] <= options["start"]:
            raise CommandError(
                f"--to {options['end']:%Y-%m-%d %H:%M} is not after --from {options['start']:%Y-%m-%d %H:%M}."
            )
        instruments = _instruments(options["symbols"], options["exchange"])
        failures = [instrument for instrument in instruments if not self._backfill(instrument, options)]
        if failures:
            raise CommandError(
                f"{len(failures)} of {len(instruments)} not complete; run it again to continue."
            )

    def _backfill(self, instrument: Instrument, options: dict[str, Any]) -> bool:
        timeframe, start = options["timeframe"], options["start"]
        name, pages = f"{instrument.symbol} {timeframe}", list[StoredPage]()
        try:
            as_of = exchange_time(exchange_code=instrument.exchange.code)
            if start >= as_of:
                self.stderr.write(
                    f"{name}: --from {start:%Y-%m-%d %H:%M} is not before now, {as_of:%Y-%m-%d %H:%M}"
                )
                return False
            end = min(options["end"] or as_of, as_of)

            def show(done: int, total: int, message: str) -> None:
                self.stdout.write(_line(name, pages[-1], done / total, message))

            changed = backfill(
                instrument=instrument,
                timeframe=timeframe,
                start=start,
                end=end,
                as_of=as_of,
                on_page=pages.append,
                progress=show,
            )
        except ProviderError as error:
            self.stderr.write(f"{name}: {error}")
            return False
        self.stdout.write(f"{name}: {changed} candles new or corrected{_first_bar(pages, start, timeframe)}")
        return True


def _line(name: str, page: StoredPage, share: float, message: str) -> str:
    """The share is of what there is: of a history that begins later than asked for, nothing is called complete."""
    reached = page.newest_open_time
    progress = message or f"{min(share, 1):4.0%}"
    return (
        f"{name} {progress} up to {reached:%Y-%m-%d %H:%M}: {len(page.stored.inserted)} new, "
        f"{len(page.stored.corrected)} corrected, {page.refused} refused, from {page.source}"
    )


def _first_bar(pages: list[StoredPage], start: datetime, timeframe: Timeframe) -> str:
    oldest = next((page.oldest_open_time for page in pages if page.oldest_open_time), None)
    if oldest is None:
        return "; the exchange has none in this span"
    late = begins_late(oldest=oldest, start=start, bar=timedelta(seconds=timeframe.seconds))
    if not late:
        return ""
    return f"; {late}: {pages[0].source} gave none older, though {start:%Y-%m-%d %H:%M} was asked for"


def _instruments(symbols: list[str], exchange_code: str | None) -> list[Instrument]:
    known = Instrument.objects.select_related("exchange")
    if exchange_code:
        known = known.filter(exchange__code=exchange_code)
    if not symbols:
        return list(known.active())
    found = list(known.filter(symbol__in=[symbol.upper() for symbol in symbols]))
    for symbol in symbols:
        exchanges = [i.exchange.code for i in found if i.symbol == symbol.upper()]
        if not exchanges:
            have = ", ".join(known.values_list("symbol", flat=True)[:20]) or "none yet; add them in the admin"
            raise CommandError(f"No instrument {symbol}. There are: {have}.")
        if len(exchanges) > 1:
            raise CommandError(f"{symbol} is on {', '.join(exchanges)}: give --exchange.")
    return found


def parse_instant(text: str) -> datetime:
    """A date or an ISO instant; without a zone it is UTC. ArgumentTypeError on anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no ISO date or time such as 2024-01-01") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""`manage.py up`: everything, in one terminal."""

import asyncio
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.utils import timezone

from copilot_project import processes
from copilot_project.embedded import EmbeddedError, Postgres, Redis, checks
from copilot_project.embedded.run_lock import only_run
from copilot_project.settings import config
from copilot_project.supervisor import StartError, StopRequestedError, Supervisor
from signals.engine.session import next_opening, sessions_at
from signals.market.models import Exchange, Instrument
from signals.market.services.worlds import MarketInUseError, exchange_with_candles, remove_market
from signals.services.actions import record_action

OWN_DATABASE = "Give the other market a database of its own, by COPILOT_STATE_DIR or DATABASE_URL."
FIRST_CANDLES_SECONDS = 30.0
READY_SECONDS = 180.0


class Command(BaseCommand):
    help = "Start everything: services, database, demo, sandbox, web, workers, beat and sender."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="load no demo tiers and subscribers")
        parser.add_argument("--no-sandbox", action="store_true", help="speak to the real outside world")
        parser.add_argument(
            "--remove-other-market",
            action="store_true",
            help="remove candles of the world that SANDBOX does not name, where nothing stands on them",
        )
        parser.add_argument(
            "--port", type=int, default=config.web_port, help="of the console (default: WEB_PORT)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["no_sandbox"] and settings.SANDBOX:
            raise CommandError(
                "without the sandbox, the real addresses are needed: set SANDBOX=false in the environment"
            )
        try:
            with only_run(settings.STATE_DIR) as lock:
                asyncio.run(self._run(lock, options))
        except (EmbeddedError, StartError) as error:
            raise CommandError(str(error)) from error
        except StopRequestedError:
            self.stdout.write("Stopped before everything was up.")

    async def _run(self, lock: int, options: dict[str, Any]) -> None:
        began, port = time.monotonic(), options["port"]
        sandbox_port = config.sandbox_port if settings.SANDBOX else None
        if sandbox_port:
            checks.refuse_unusable_candles(os.environ.get("SANDBOX_DATA"))
        checks.refuse_busy_ports(processes.ports_of(port, sandbox_port))
        env = processes.environment(port)
        async with Supervisor(lock=lock) as supervisor:
            await start_services(supervisor)
            migration = supervisor.unless_stopped(asyncio.to_thread(self._migrate, options))
            if sandbox_port:
                ready = partial(checks.answers, sandbox_port)
                sandbox = supervisor.start(processes.sandbox(env, sandbox_port), ready=ready)
                await asyncio.gather(migration, sandbox)
            else:
                await migration
            web = supervisor.start(processes.web(env, port), ready=partial(checks.answers, port))
            await asyncio.gather(web, supervisor.unless_stopped(asyncio.to_thread(self._fill, options)))
            live = (processes.executor,) if settings.LIVE_TRADING_ALLOWED else ()
            for start in (
                processes.worker,
                processes.training_worker,
                processes.beat,
                processes.sender,
                *live,
            ):
                await supervisor.start(start(env))
            if settings.SANDBOX:
                await supervisor.unless_stopped(first_candles())
            is_ready = await wait_until_ready(supervisor, port)
            self._say_where_to_look(env["PUBLIC_URL"], time.monotonic() - began, is_ready=is_ready)
            await supervisor.wait()
            self.stdout.write("Stopping ...")
        self.stdout.write("Everything has stopped.")

    def _migrate(self, options: dict[str, Any]) -> None:
        """Bring the tables up to date. Raises CommandError when they hold prices of the other world."""
        with own_connections():
            call_command("migrate", verbosity=0, interactive=False)
            if options["remove_other_market"]:
                self._remove_other_market()
            refuse_other_market()

    def _remove_other_market(self) -> None:
        try:
            removed = remove_market(is_simulated=not settings.SANDBOX)
        except MarketInUseError as error:
            raise CommandError(f"The other market was not removed: {error}. {OWN_DATABASE}") from error
        for name in removed:
            self.stdout.write(f"Removed: {name}")
        if removed:
            record_action(
                actor="manage.py up",
                what="market.removed",
                target="simulated" if not settings.SANDBOX else "real",
                now=timezone.now(),
                before={"removed": removed},
            )

    def _fill(self, options: dict[str, Any]) -> None:
        """The first admin and the demo."""
        with own_connections():
            self._create_admin()
            if "demo" in get_commands() and not (options["no_demo"] or settings.PRODUCTION):
                call_command("demo", stdout=self.stdout)

    def _create_admin(self) -> None:
        users = get_user_model().objects
        if not settings.PASSWORD_LOGIN or users.filter(is_superuser=True).exists():
            return
        password = secrets.token_urlsafe(12)
        users.create_superuser("admin", "admin@localhost.localdomain", password)
        self.stdout.write(f"\nAdmin created. User: admin  Password: {password}  (shown this once)\n")

    def _say_where_to_look(self, url: str, seconds: float, *, is_ready: bool) -> None:
        first = "is ready" if is_ready else f"runs, but {url}/readyz still names what is missing,"
        lines = [f"CoPilot {first} after {seconds:.1f} s.", f"  Console    {url}/  (user admin)"]
        if settings.SANDBOX:
            lines.append(f"  Chat page  {settings.SANDBOX_URL}/  (what the demo's subscribers see)")
            lines.append("  Market, Telegram and Google are the sandbox's stand-ins; nothing here is real.")
            lines += closed_sessions(timezone.now())
        lines.append("  Ctrl-C stops everything.")
        self.stdout.write("\n" + "\n".join(lines) + "\n\n")
        self.stdout.flush()


async def wait_until_ready(supervisor: Supervisor, port: int) -> bool:
    """Whether /readyz said yes in time."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if await asyncio.to_thread(checks.is_ready, port):
            return True
        await supervisor.unless_stopped(asyncio.sleep(0.5))
    return False


def refuse_other_market() -> None:
    """Simulated and real prices in one table would be decided upon together, and told under one name."""
    other = Exchange.objects.exclude(is_simulated=settings.SANDBOX).first()
    if other:
        raise CommandError(
            f"This database holds {other}'s {'simulated' if other.is_simulated else 'real'} market, and SANDBOX is "
            f"{'on' if settings.SANDBOX else 'off'}. {OWN_DATABASE} Or, where these candles were imported by mistake, "
            "remove them: `manage.py up --remove-other-market`."
        )


async def first_candles() -> None:
    """Until the sandbox's first candles are stored: from then on a file of real ones is refused at once.

    Without an active instrument there will be none; a worker that cannot store them is told of elsewhere.
    """
    deadline = time.monotonic() + FIRST_CANDLES_SECONDS
    while time.monotonic() < deadline and not await asyncio.to_thread(own_connections()(is_sandbox_settled)):
        await asyncio.sleep(0.3)


def is_sandbox_settled() -> bool:
    fetched = Instrument.objects.active().filter(exchange__is_simulated=True)
    return not fetched.exists() or exchange_with_candles(is_simulated=True) is not None


@contextmanager
def own_connections() -> Iterator[None]:
    """Connections for one thread's work, closed after it: the pool's threads would linger in this process."""
    try:
        yield
    finally:
        for connection in connections.all():
            connection.close()
            if isinstance(connection, DatabaseWrapper):
                connection.close_pool()


def closed_sessions(now: datetime) -> list[str]:
    """A visitor between sessions is told why only some subscribers hear something."""
    if sessions_at(now):
        return []
    opening, session = next_opening(now)
    return [
        f"  No trading session is open: Standard and Free subscribers wait for {session.label}, {opening:%H:%M} UTC."
    ]


async def start_services(supervisor: Supervisor) -> None:
    """Postgres and Redis: those that the environment names must answer, else the embedded ones start."""
    if url := config.database_owner_url or config.database_url:
        await supervisor.unless_stopped(asyncio.to_thread(checks.refuse_unreachable_database, url))
    else:
        await start_embedded(supervisor, Postgres(settings.STATE_DIR))
    if url := config.redis_url:
        await supervisor.unless_stopped(asyncio.to_thread(checks.refuse_unreachable_redis, url))
    else:
        await start_embedded(supervisor, Redis(settings.STATE_DIR))


async def start_embedded(supervisor: Supervisor, service: Postgres | Redis) -> None:
    """Start an embedded service; when it does not start, raise why, from its own log."""
    await supervisor.unless_stopped(asyncio.to_thread(service.prepare))
    try:
        await supervisor.start(service.process(), ready=service.ready)
    except StartError as error:
        raise service.refusal() from error

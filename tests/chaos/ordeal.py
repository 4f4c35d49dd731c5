"""One seed from an empty folder to the verdict. Imported once Django is set up."""

import asyncio
import time

from django.conf import settings

from copilot_project.management.commands.up import migrate, own_connections
from tests.chaos.blows import (
    HEARTBEATS,
    PUBLISHER,
    SENDER,
    WEB,
    MainProcessAttacker,
    SenderAttacker,
    ServicesAttacker,
    WorkerAttacker,
    settled,
)
from tests.chaos.judge import judge
from tests.chaos.processes import Sandbox
from tests.chaos.publishing import make_market
from tests.chaos.report import Plan, Report
from tests.chaos.system import System, move_in, services
from tests.chaos.watch import say
from tests.notifications.rows import Controls, make_subscriber, make_tier


async def endure(plan: Plan, sandbox: Sandbox, port: int) -> Report:
    """Build the system, hurt its processes all at once, then its services, let it settle, judge."""
    began, report = time.monotonic(), Report(seeds=[plan.seed])
    async with services(plan, sandbox) as system:
        await asyncio.to_thread(migrate)
        await asyncio.to_thread(_fill, plan, sandbox, port)
        system.release(min(plan.signals, 2))
        await move_in(system, port)
        await asyncio.to_thread(
            system.until,
            lambda: all(system.beaten_since(name, system.born_at) for name in HEARTBEATS),
            "the system does not come up",
        )
        await _hurt_processes(system, report)
        await asyncio.to_thread(ServicesAttacker(system, report, "services").attack)
        await asyncio.to_thread(_settle, system)
        await asyncio.to_thread(_judge, system, report)
    report.seconds = time.monotonic() - began
    return report


async def _hurt_processes(system: System, report: Report) -> None:
    plan = system.plan
    await asyncio.gather(
        asyncio.to_thread(SenderAttacker(system, report).attack, SENDER, plan.sender_kills),
        asyncio.to_thread(MainProcessAttacker(system, report, "web").attack, WEB, plan.other_kills),
        asyncio.to_thread(
            MainProcessAttacker(system, report, "publisher").attack,
            PUBLISHER,
            plan.other_kills,
            heartbeat=False,
        ),
        asyncio.to_thread(WorkerAttacker(system, report, "worker").attack, plan.other_kills),
    )


def _fill(plan: Plan, sandbox: Sandbox, port: int) -> None:
    with own_connections(), Controls(sandbox.url) as controls:
        make_market()
        tier = make_tier(max_sessions=None)
        controls.open_chats(*(make_subscriber(tier=tier) for _ in range(plan.subscribers)))
        secret = settings.TELEGRAM_WEBHOOK_SECRET
        controls.bot("setWebhook", url=f"http://127.0.0.1:{port}/telegram/webhook", secret_token=secret)
        controls.post("/latency", {"ms": plan.latency_ms})


def _settle(system: System) -> None:
    """Publish what is left of the plan, and wait until nothing is on its way any more."""
    system.release(max(system.plan.signals - system.released, 0))
    say(f"seed {system.plan.seed}: {system.released} signals in all, waiting for the last of them")
    system.until(system.all_published, "not everything was published", every=1)
    system.until(lambda: settled() and not system.updates_on_their_way(), "not everything settled", every=1)


def _judge(system: System, report: Report) -> None:
    with own_connections():
        judge(system, report)

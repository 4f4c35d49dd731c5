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
from tests.chaos.house import House, move_in, services
from tests.chaos.judge import judge
from tests.chaos.processes import Sandbox
from tests.chaos.publishing import make_market
from tests.chaos.report import Plan, Report
from tests.chaos.watch import say
from tests.notifications.rows import Controls, make_subscriber, make_tier


async def endure(plan: Plan, sandbox: Sandbox, port: int) -> Report:
    """Build the house, hurt its processes all at once, then its services, let it settle, judge."""
    began, report = time.monotonic(), Report(seeds=[plan.seed])
    async with services(plan, sandbox) as house:
        await asyncio.to_thread(migrate)
        await asyncio.to_thread(_fill, plan, sandbox, port)
        house.release(min(plan.signals, 2))
        await move_in(house, port)
        await asyncio.to_thread(
            house.until,
            lambda: all(house.beaten_since(name, house.born_at) for name in HEARTBEATS),
            "the house does not come up",
        )
        await _hurt_processes(house, report)
        await asyncio.to_thread(ServicesAttacker(house, report, "services").attack)
        await asyncio.to_thread(_settle, house)
        await asyncio.to_thread(_judge, house, report)
    report.seconds = time.monotonic() - began
    return report


async def _hurt_processes(house: House, report: Report) -> None:
    plan = house.plan
    await asyncio.gather(
        asyncio.to_thread(SenderAttacker(house, report).attack, SENDER, plan.sender_kills),
        asyncio.to_thread(MainProcessAttacker(house, report, "web").attack, WEB, plan.other_kills),
        asyncio.to_thread(
            MainProcessAttacker(house, report, "publisher").attack,
            PUBLISHER,
            plan.other_kills,
            heartbeat=False,
        ),
        asyncio.to_thread(WorkerAttacker(house, report, "worker").attack, plan.other_kills),
    )


def _fill(plan: Plan, sandbox: Sandbox, port: int) -> None:
    with own_connections(), Controls(sandbox.url) as controls:
        make_market()
        tier = make_tier(max_sessions=None)
        controls.open_chats(*(make_subscriber(tier=tier) for _ in range(plan.subscribers)))
        secret = settings.TELEGRAM_WEBHOOK_SECRET
        controls.bot("setWebhook", url=f"http://127.0.0.1:{port}/telegram/webhook", secret_token=secret)
        controls.post("/latency", {"ms": plan.latency_ms})


def _settle(house: House) -> None:
    """Publish what is left of the plan, and wait until nothing is on its way any more."""
    house.release(max(house.plan.signals - house.released, 0))
    say(f"seed {house.plan.seed}: {house.released} signals in all, waiting for the last of them")
    house.until(house.all_published, "not everything was published", every=1)
    house.until(lambda: settled() and not house.updates_on_their_way(), "not everything settled", every=1)


def _judge(house: House, report: Report) -> None:
    with own_connections():
        judge(house, report)

"""The story itself, by the services of live: decide, publish, send, raise, end."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

from django.core.management import call_command

from copilot_project.story.clock import at, post, turn_to
from copilot_project.story.plot import BAR_MS, Plot
from notifications.clients.telegram import TelegramClient
from notifications.models import Delivery, DeliveryPreference, DeliveryState
from notifications.models.delivery import OPEN_STATES
from notifications.services.sender.conninfo import conninfo
from notifications.services.sender.loop import Sender, SenderOptions
from notifications.services.sender.pace import Pace
from notifications.tasks import draw_picture
from signals.engine.cost_rates import MarketType
from signals.engine.session import TradingSession
from signals.engine.timeframe import Timeframe
from signals.market.models import Exchange, Instrument
from signals.market.services.clock import exchange_time
from signals.market.services.sync import sync_candles
from signals.models import Signal
from signals.services.evaluation import evaluate_trend
from signals.services.outcomes import record_outcomes
from signals.services.stops import record_stops
from users.engine.subscriber import AccountType, RiskProfile
from users.models import Subscriber, Tier

CHAT_ID = 7_000_000_101
TIMEFRAMES = (Timeframe.H1, Timeframe.H4, Timeframe.D1)
ARRIVAL = timedelta(seconds=2)
SEND_SECONDS = 120.0


class StoryError(Exception):
    """The services did not do what the candles ask of them; the message says what is missing."""


def tell(plot: Plot, *, sandbox_url: str, label: str, say: Callable[[str], None]) -> Signal:
    """From the close that decides to the one that ends it; the signal, with its outcome and raises as rows."""
    decided = at(plot.decided_at)
    turn_to(decided + ARRIVAL, sandbox_url=sandbox_url)
    instrument, subscriber = _cast(plot.symbol)
    post(f"{sandbox_url}/_sandbox/chats", {"id": CHAT_ID, "first_name": subscriber.display_name})
    asyncio.run(_announce(plot, label))
    _fetch(instrument)
    evaluation = evaluate_trend(
        instrument=instrument,
        candle_open_time=decided - timedelta(milliseconds=BAR_MS),
        as_of=exchange_time(exchange_code="binance"),
    )
    if evaluation is None or evaluation.signal is None:
        raise StoryError(
            f"nothing was published: {evaluation.reason if evaluation else 'candles are missing'}"
        )
    signal = evaluation.signal
    draw_picture(signal.pk)
    send_due()
    say(f"{decided:%Y-%m-%d %H:%M}  signal: {signal}")
    for closed_at in range(plot.decided_at + BAR_MS, plot.exited_at + BAR_MS, BAR_MS):
        _live_through(closed_at, instrument, sandbox_url, say)
    signal.refresh_from_db()
    if not Delivery.objects.filter(signal=signal, kind="outcome", state=DeliveryState.SENT).exists():
        raise StoryError("the exit was not told")
    return signal


def _cast(symbol: str) -> tuple[Instrument, Subscriber]:
    call_command("load_tiers", verbosity=0)
    exchange = Exchange.objects.create(code="binance", name="Binance", is_simulated=True)
    base = symbol.removesuffix("USDT")
    instrument = Instrument.objects.create(
        exchange=exchange,
        symbol=f"{base}/USDT",
        base=base,
        quote="USDT",
        market_type=MarketType.SPOT.value,
    )
    subscriber = Subscriber.objects.create(
        chat_id=CHAT_ID,
        display_name="Story (VIP)",
        tier=Tier.objects.get(code="vip"),
        account_type=AccountType.DEMO.value,
        risk_profile=RiskProfile.AGGRESSIVE.value,
        linked_at=exchange_time(exchange_code=exchange.code),
        notes="Of the story: the chat is the sandbox's.",
    )
    sessions = [each.value for each in TradingSession]
    DeliveryPreference.objects.create(subscriber=subscriber, sessions=sessions)
    return instrument, subscriber


async def _announce(plot: Plot, label: str) -> None:
    """First in the chat, so that no picture of it is taken for more than it is."""
    days = (plot.exited_at - plot.decided_at) / 86_400_000
    text = (
        f"Demo story. {label}. One trade of the trend rule, told in minutes; it took {days:.1f} days. It was chosen "
        f"because it shows a raised stop. All trades on these candles: {plot.record}"
    )
    async with TelegramClient.configured() as client:
        await client.send_message(chat_id=CHAT_ID, text=text, html=False)


def _live_through(
    closed_at: int, instrument: Instrument, sandbox_url: str, say: Callable[[str], None]
) -> None:
    """What the schedule does at a 4h close, for the open signal."""
    turn_to(at(closed_at) + ARRIVAL, sandbox_url=sandbox_url)
    _fetch(instrument)
    moment = exchange_time(exchange_code=instrument.exchange.code)
    ended = record_outcomes(exchange_code=instrument.exchange.code, as_of=moment, now=moment)
    raised = record_stops(exchange_code=instrument.exchange.code, as_of=moment, now=moment)
    if sent := send_due():
        say(f"{at(closed_at):%Y-%m-%d %H:%M}  told: {', '.join(sent)}")
    elif ended or raised:
        say(f"{at(closed_at):%Y-%m-%d %H:%M}  {'ended' if ended else 'stop raised'}")


def _fetch(instrument: Instrument) -> None:
    as_of = exchange_time(exchange_code=instrument.exchange.code)
    for timeframe in TIMEFRAMES:
        sync_candles(instrument=instrument, timeframe=timeframe, as_of=as_of)


def send_due() -> list[str]:
    """Let the sender send what waits; the kinds that were sent. StoryError where it does not go out."""
    waiting = list(Delivery.objects.filter(state=DeliveryState.PENDING).values_list("pk", "kind"))
    if waiting:
        asyncio.run(_send())
    gone = Delivery.objects.filter(pk__in=[pk for pk, _ in waiting], state=DeliveryState.SENT)
    if gone.count() != len(waiting):
        states = Delivery.objects.filter(pk__in=[pk for pk, _ in waiting]).values_list("kind", "state")
        raise StoryError(f"not sent: {dict(states)}")
    return [kind for _, kind in waiting]


async def _send() -> None:
    async with TelegramClient.configured() as client:
        sender = Sender(client, SenderOptions(conninfo()), Pace())
        running = asyncio.create_task(sender.run())
        deadline = time.monotonic() + SEND_SECONDS
        try:
            while time.monotonic() < deadline and await asyncio.to_thread(_is_waiting):
                await asyncio.sleep(0.2)
        finally:
            sender.stop()
            await running


def _is_waiting() -> bool:

    return Delivery.objects.filter(state__in=OPEN_STATES).exists()

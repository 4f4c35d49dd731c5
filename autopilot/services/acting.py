"""What a decision does to what is held: leave, turn over, replace what waits, enter. The simulator's rules, on rows."""

from datetime import datetime
from typing import Any

from autopilot.engine.market import Opposite
from autopilot.engine.order import OrderSide
from autopilot.engine.position import wanted
from autopilot.models import Account, Order
from autopilot.services.order_request import OrderRequest
from autopilot.services.orders import close_position, place_order, withdraw_entries
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Signal


def act_on_decision(  # noqa: PLR0913  (what a decision is made of)
    *,
    account: Account,
    instrument: Instrument,
    timeframe: Timeframe,
    candle_open_time: datetime,
    request: OrderRequest | None,
    as_of: datetime,
    now: datetime,
    by: str,
    leaves: bool = False,
    adds: bool = False,
    opposite: Opposite = Opposite.CLOSE,
    signal: Signal | None = None,
) -> Order | None:
    """The entry that was placed or refused, None where none was wanted.

    request: the entry (None: only `leaves` is asked). leaves: end what is held. adds: an entry on the side that is
    held adds to it, and leaves what waits; otherwise it is ignored, and one that is new replaces what waits.
    """
    position = account.positions.filter(instrument=instrument).first()
    held = 0 if position is None or not position.quantity else 1 if position.quantity > 0 else -1
    side = 0 if request is None else OrderSide(request.side).sign
    enters, ends = wanted(held=held, side=side, leaves=leaves, adds=adds, opposite=opposite)
    moment: dict[str, Any] = {"account": account, "instrument": instrument, "now": now, "by": by}
    if ends:
        close_position(candle_open_time=candle_open_time, **moment)
    if request is None or not enters:
        return None
    if not adds:
        withdraw_entries(reason="replaced", **moment)
    return place_order(
        timeframe=timeframe,
        candle_open_time=candle_open_time,
        request=request,
        as_of=as_of,
        signal=signal,
        **moment,
    )

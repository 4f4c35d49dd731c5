"""Whether an order may be placed: one reason code for each way in which it may not.

Everything is told in facts that the caller reads inside the transaction that writes the order.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from autopilot.engine.order import OrderSide

LOWEST_VALUE = Decimal(1)  # of an order, in quote currency, whatever the exchange allows


class Refusal(StrEnum):
    LIVE_NOT_AVAILABLE = "live_not_available"
    KILL_SWITCH = "kill_switch"
    ACCOUNT_CLOSED = "account_closed"
    WRONG_CURRENCY = "wrong_currency"
    FALLBACK_DECISION = "fallback_decision"
    UNCALIBRATED = "uncalibrated"
    STALE_DATA = "stale_data"
    OTHER_TIMEFRAME = "other_timeframe"
    ALREADY_OPEN = "already_open"
    LESS_THAN_ONE_LOT = "less_than_one_lot"
    BELOW_MINIMUM_AMOUNT = "below_minimum_amount"
    BELOW_MINIMUM_VALUE = "below_minimum_value"
    LEVELS_OUT_OF_ORDER = "levels_out_of_order"
    NO_POSITION = "no_position"
    OPPOSITE_POSITION = "opposite_position"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    TOO_MANY_POSITIONS = "too_many_positions"
    EXPOSURE = "exposure"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    CORRELATION = "correlation"
    COOLDOWN = "cooldown"
    TRADES_TODAY = "trades_today"
    LIVE_OFF = "live_off"
    NO_KEY = "no_key"
    NOT_ARMED = "not_armed"
    NOT_RECONCILED = "not_reconciled"
    CLOCK_OFFSET = "clock_offset"
    SYMBOL_FROZEN = "symbol_frozen"
    UNPROVEN = "unproven"
    ORDER_RATE = "order_rate"

    @property
    def sentence(self) -> str:
        return SENTENCES[self]


SENTENCES = {
    Refusal.LIVE_NOT_AVAILABLE: "Orders to an exchange are available for spot instruments only.",
    Refusal.KILL_SWITCH: "Sending stopped (kill switch): no position is opened.",
    Refusal.ACCOUNT_CLOSED: "The account is closed.",
    Refusal.WRONG_CURRENCY: "The instrument is quoted in another currency than the account.",
    Refusal.FALLBACK_DECISION: "The decision was made by a fallback, which never trades live.",
    Refusal.UNCALIBRATED: "The decision's probability is not calibrated, which never trades live.",
    Refusal.STALE_DATA: "The newest candle is too old to decide on.",
    Refusal.OTHER_TIMEFRAME: "A position or an order of this instrument runs on another timeframe.",
    Refusal.ALREADY_OPEN: "An order for the same purpose is open already.",
    Refusal.LESS_THAN_ONE_LOT: "The quantity is less than the exchange's smallest step.",
    Refusal.BELOW_MINIMUM_AMOUNT: "The quantity is below the exchange's minimum.",
    Refusal.BELOW_MINIMUM_VALUE: "The order's value is below the minimum.",
    Refusal.LEVELS_OUT_OF_ORDER: "Stop, price and target do not stand in the order of this side.",
    Refusal.NO_POSITION: "There is no position to sell, and the instrument cannot be sold short.",
    Refusal.OPPOSITE_POSITION: "A position on the other side is held: close it first.",
    Refusal.INSUFFICIENT_FUNDS: "The free balance does not cover the order's value and fee.",
    Refusal.TOO_MANY_POSITIONS: "As many positions as allowed are held or waited for.",
    Refusal.EXPOSURE: "The limit of exposure would be exceeded.",
    Refusal.DAILY_LOSS: "Today's loss has reached its limit.",
    Refusal.DRAWDOWN: "The account's drawdown has reached its limit.",
    Refusal.CORRELATION: "It moves too closely with a position that is held on the same side.",
    Refusal.COOLDOWN: "Too little time has passed since the last stop.",
    Refusal.TRADES_TODAY: "As many trades as allowed were begun today.",
    Refusal.LIVE_OFF: "Live trading is switched off by the setting LIVE_TRADING_ALLOWED.",
    Refusal.NO_KEY: "The account has no usable API key of this exchange.",
    Refusal.NOT_ARMED: "The account is not armed for live trading.",
    Refusal.NOT_RECONCILED: "The executor has not just found account and exchange to agree.",
    Refusal.CLOCK_OFFSET: "Our clock and the exchange's are more than a second apart.",
    Refusal.SYMBOL_FROZEN: "The instrument is frozen in this account until its state is known.",
    Refusal.UNPROVEN: "The gate has not proven this kind of signal, which never trades live.",
    Refusal.ORDER_RATE: "As many orders as allowed were sent within a minute.",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """The account's own limits; None is no limit. Ratios of equity, the daily loss of equity at the day's start."""

    exposure: Decimal | None = None
    daily_loss: Decimal | None = None
    drawdown: Decimal | None = None
    correlation: float | None = None
    cooldown_seconds: int | None = None
    trades_a_day: int | None = None
    positions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The order after rounding to the exchange's steps. `price` is its own, or the last close."""

    side: OrderSide
    is_entry: bool
    lots: int
    quantity: Decimal
    price: Decimal
    fee: Decimal
    stop: Decimal | None = None
    target: Decimal | None = None
    is_fallback: bool = False
    is_calibrated: bool = False
    is_proven: bool = False

    @property
    def value(self) -> Decimal:
        return self.quantity * self.price


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """What the exchange and the market say."""

    can_short: bool
    minimum_amount: Decimal | None = None
    minimum_value: Decimal | None = None
    data_age_seconds: float = 0.0
    oldest_data_seconds: float = float("inf")
    same_currency: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Of the account. held: this instrument's position, signed. free: what no position or waiting entry has taken.

    exposure: worth of all positions and waiting entries. today: equity now and at the day's start.
    correlation: highest with a position held on the same side, None without one.
    """

    free: Decimal
    equity: Decimal
    held: Decimal = Decimal(0)
    is_live: bool = False
    live_lock: Refusal | None = None
    is_closed: bool = False
    kill_switch_allows: bool = True
    same_timeframe: bool = True
    intent_is_open: bool = False
    margin: Decimal = Decimal(1)
    exposure: Decimal = Decimal(0)
    other_positions: int = 0
    day_start_equity: Decimal | None = None
    peak_equity: Decimal | None = None
    trades_today: int = 0
    seconds_since_stop: float | None = None
    correlation: float | None = None


def preflight(asked: Asked, venue: Venue, standing: Standing, limits: Limits) -> Refusal | None:
    """The first reason against the order, None where there is none."""
    for reason in (_system, _exchange, _account):
        if found := reason(asked, venue, standing):
            return found
    return _limits(asked, standing, limits) if asked.is_entry else None


def _system(asked: Asked, venue: Venue, standing: Standing) -> Refusal | None:
    stale = venue.data_age_seconds > venue.oldest_data_seconds
    entry, live = asked.is_entry, standing.is_live
    against = (
        (entry and live and asked.is_fallback, Refusal.FALLBACK_DECISION),
        (entry and live and not asked.is_calibrated, Refusal.UNCALIBRATED),
        (entry and live and not asked.is_proven, Refusal.UNPROVEN),
        (not venue.same_currency, Refusal.WRONG_CURRENCY),
        (not standing.same_timeframe, Refusal.OTHER_TIMEFRAME),
        (standing.intent_is_open, Refusal.ALREADY_OPEN),
        (entry and not standing.kill_switch_allows, Refusal.KILL_SWITCH),
        (entry and standing.is_closed, Refusal.ACCOUNT_CLOSED),
        (entry and stale, Refusal.STALE_DATA),
    )
    found = next((reason for applies, reason in against if applies), None)
    return found or (standing.live_lock if entry and live else None)


def _exchange(asked: Asked, venue: Venue, standing: Standing) -> Refusal | None:  # noqa: PLR0911  (one answer per rule)
    if asked.is_entry and asked.side is OrderSide.SELL and not venue.can_short:
        return Refusal.NO_POSITION
    if asked.lots < 1:
        return Refusal.LESS_THAN_ONE_LOT
    if venue.minimum_amount is not None and asked.quantity < venue.minimum_amount:
        return Refusal.BELOW_MINIMUM_AMOUNT
    if asked.value < max(venue.minimum_value or LOWEST_VALUE, LOWEST_VALUE):
        return Refusal.BELOW_MINIMUM_VALUE
    sign, stop, target = asked.side.sign, asked.stop, asked.target
    if stop is not None and (stop <= 0 or sign * (asked.price - stop) <= 0):
        return Refusal.LEVELS_OUT_OF_ORDER
    if target is not None and (target <= 0 or sign * (target - asked.price) <= 0):
        return Refusal.LEVELS_OUT_OF_ORDER
    return None


def _account(asked: Asked, venue: Venue, standing: Standing) -> Refusal | None:
    against = standing.held * asked.side.sign
    if not asked.is_entry:
        return None if against < 0 else Refusal.NO_POSITION
    if against < 0:
        return Refusal.OPPOSITE_POSITION
    if standing.free < asked.value * standing.margin + asked.fee:
        return Refusal.INSUFFICIENT_FUNDS
    return None


def _limits(asked: Asked, standing: Standing, limits: Limits) -> Refusal | None:  # noqa: PLR0911  (one answer per limit)
    equity = standing.equity
    if limits.positions is not None and standing.other_positions >= limits.positions:
        return Refusal.TOO_MANY_POSITIONS
    if limits.exposure is not None and standing.exposure + asked.value > limits.exposure * equity:
        return Refusal.EXPOSURE
    if _fallen(equity, standing.day_start_equity, limits.daily_loss):
        return Refusal.DAILY_LOSS
    if _fallen(equity, standing.peak_equity, limits.drawdown):
        return Refusal.DRAWDOWN
    together = standing.correlation
    if limits.correlation is not None and together is not None and together > limits.correlation:
        return Refusal.CORRELATION
    since = standing.seconds_since_stop
    if limits.cooldown_seconds is not None and since is not None and since < limits.cooldown_seconds:
        return Refusal.COOLDOWN
    if limits.trades_a_day is not None and standing.trades_today >= limits.trades_a_day:
        return Refusal.TRADES_TODAY
    return None


def _fallen(equity: Decimal, before: Decimal | None, allowed: Decimal | None) -> bool:
    return before is not None and allowed is not None and equity <= before * (1 - allowed)

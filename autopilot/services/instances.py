"""Starting, pausing, switching and stopping autopilots. Each change is a row's, and an Action."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from autopilot.engine.cycle import LONGEST_INTERVAL, SHORTEST_INTERVAL, InstanceState, Mode
from autopilot.models import Account, Instance
from autopilot.selectors import trades_begun_today
from autopilot.services.accounts import open_account
from autopilot.services.live import live_account, refusal
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.services.actions import record_action

FIRST_DEPOSIT = Decimal(10_000)
CONFIGURED = (
    "interval_seconds",
    "mode",
    "min_confidence_threshold",
    "max_trades_per_day",
    "auto_execute",
    "limit_bars",
    "hold_bars",
    "risk_fraction",
    "stop_costs",
    "experimental",
    "label",
)
RATIOS = ("min_confidence_threshold", "risk_fraction")
MOST_TRADES = 1_000
MOST_COSTS = 100


class InstanceConflictError(Exception):
    """An autopilot runs on this instrument and timeframe with another configuration."""


class LiveNotAvailableError(Exception):
    """Orders to an exchange were asked for: everything trades on paper."""


class ConfirmationMissingError(Exception):
    """Automatic execution was asked for without its own confirmation."""


class InvalidSettingError(ValueError):
    """A value out of bounds; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """What an integrator is told of an instrument; `instance` is None where none was ever started."""

    running: bool
    symbol: str
    exchange_id: int
    timeframe: str | None = None
    last_analysis_at: datetime | None = None
    selected_strategy: str | None = None
    score: float | None = None
    trades_today: int = 0
    next_run_at: datetime | None = None
    instance: Instance | None = None


def start_instance(  # noqa: PLR0913  (what can be configured)
    *,
    instrument: Instrument,
    timeframe: Timeframe,
    by: str,
    now: datetime,
    interval_seconds: int = 60,
    mode: Mode = Mode.ML,
    min_confidence_threshold: float = 0.75,
    max_trades_per_day: int = 10,
    auto_execute: bool = False,
    confirmed: bool = False,
    paper_trading: bool = True,
    account: Account | None = None,
    limit_bars: int = 3,
    hold_bars: int = 24,
    risk_fraction: float = 0.01,
    stop_costs: float = 3.0,
    experimental: bool = False,
    label: str = "",
) -> tuple[Instance, bool]:
    """The autopilot, and whether it was created: one that is there with the same configuration is returned.

    confirmed: that orders may follow its signals by themselves; without it `auto_execute` is refused. account: on
    which it trades, by default the paper account of the quote currency, opened with the first one.
    Raises InstanceConflictError, LiveNotAvailableError, ConfirmationMissingError, InvalidSettingError.
    """
    if not paper_trading:
        account = account or live_account(instrument)
        lock = refusal(account=account, instrument=instrument, now=now)
        if lock is not None:
            raise LiveNotAvailableError(f"live trading is locked ({lock.code}): {lock.sentence}")
    wanted: dict[str, Any] = {
        "interval_seconds": interval_seconds,
        "mode": Mode(mode).value,
        "min_confidence_threshold": min_confidence_threshold,
        "max_trades_per_day": max_trades_per_day,
        "auto_execute": auto_execute,
        "limit_bars": limit_bars,
        "hold_bars": hold_bars,
        "risk_fraction": risk_fraction,
        "stop_costs": stop_costs,
        "experimental": experimental,
        "label": label,
    }
    _check(wanted)
    with transaction.atomic():
        Instrument.objects.select_for_update().get(pk=instrument.pk)  # two that start at once: one does
        standing = Instance.objects.live().filter(instrument=instrument, timeframe=timeframe.value).first()
        if standing:
            same = {name: getattr(standing, name) for name in CONFIGURED} == wanted
            if same and (account is None or standing.account_id == account.pk):
                return standing, False
            raise InstanceConflictError(
                f"an autopilot runs on {instrument} {timeframe} already, with another configuration: stop it first"
            )
        if auto_execute and not confirmed:
            raise ConfirmationMissingError(
                "automatic execution needs its own confirmation: orders will follow signals without being asked"
            )
        instance = Instance.objects.create(
            instrument=instrument,
            account=account or paper_account(currency=instrument.quote, by=by, now=now),
            timeframe=timeframe.value,
            state=InstanceState.RUNNING.value,
            started_at=now,
            started_by=by[:200],
            next_run_at=now,
            **wanted,
        )
        _record(instance, "autopilot.started", by, now, after={**wanted, "account": instance.account.name})
    return instance, True


def paper_account(*, currency: str, by: str, now: datetime) -> Account:
    name = f"Paper {currency}"
    standing = Account.objects.filter(name=name).first()
    return standing or open_account(name=name, currency=currency, cash=FIRST_DEPOSIT, by=by, now=now)


def stop_instance(
    *, instrument: Instrument, timeframe: Timeframe | None = None, by: str, now: datetime
) -> int:
    """Stop those of the instrument, or of one timeframe; how many ran or were paused. What is held stays held."""
    with transaction.atomic():
        standing = Instance.objects.live().filter(instrument=instrument).select_for_update()
        if timeframe is not None:
            standing = standing.filter(timeframe=timeframe.value)
        stopped = list(standing)
        for instance in stopped:
            before = instance.state
            instance.state, instance.stopped_at, instance.next_run_at = (
                InstanceState.STOPPED.value,
                now,
                None,
            )
            instance.save(update_fields=["state", "stopped_at", "next_run_at"])
            _record(instance, "autopilot.stopped", by, now, before={"state": before})
    return len(stopped)


def pause_instance(*, instance: Instance, by: str, now: datetime) -> bool:
    """No cycle until it is resumed; whether it ran."""
    return _turn(instance, InstanceState.RUNNING, InstanceState.PAUSED, "autopilot.paused", by, now)


def resume_instance(*, instance: Instance, by: str, now: datetime) -> bool:
    """Go on with the next slot, free to place orders again; whether it was paused or frozen."""
    with transaction.atomic():
        standing = Instance.objects.select_for_update().get(pk=instance.pk)
        if standing.is_running and standing.frozen_reason:
            was, standing.frozen_reason = standing.frozen_reason, ""
            standing.save(update_fields=["frozen_reason"])
            _record(standing, "autopilot.unfrozen", by, now, before={"frozen": was})
            return True
        return _turn(standing, InstanceState.PAUSED, InstanceState.RUNNING, "autopilot.resumed", by, now)


def change_mode(*, instance: Instance, mode: Mode, by: str, now: datetime) -> bool:
    """From the next cycle on; whether it is another."""
    return _change(instance, "mode", Mode(mode).value, "autopilot.mode_changed", by, now)


def change_auto_execute(
    *, instance: Instance, auto_execute: bool, confirmed: bool, by: str, now: datetime
) -> bool:
    """Whether orders follow its signals; switching it on needs `confirmed`. Whether that was a change."""
    if auto_execute and not confirmed:
        raise ConfirmationMissingError("automatic execution needs its own confirmation")
    return _change(instance, "auto_execute", auto_execute, "autopilot.auto_execution", by, now)


def change_threshold(*, instance: Instance, threshold: float, by: str, now: datetime) -> bool:
    _check({"min_confidence_threshold": threshold})
    return _change(instance, "min_confidence_threshold", threshold, "autopilot.threshold_changed", by, now)


def freeze(*, instance: Instance, reason: str, by: str, now: datetime) -> None:
    """Place no more orders until somebody resumes it; watching and publishing go on."""
    _change(instance, "frozen_reason", reason, "autopilot.frozen", by, now)


def status(
    *, instrument: Instrument, timeframe: Timeframe | None = None, now: datetime | None = None
) -> InstanceStatus:
    """Of the instrument's newest autopilot; one that runs comes before one that is paused or was stopped."""
    known = Instance.objects.filter(instrument=instrument).select_related("account")
    if timeframe is not None:
        known = known.filter(timeframe=timeframe.value)
    instance = known.running().first() or known.live().first() or known.first()
    if instance is None:
        return InstanceStatus(running=False, symbol=instrument.symbol, exchange_id=instrument.exchange_id)
    return InstanceStatus(
        running=instance.is_running,
        symbol=instrument.symbol,
        exchange_id=instrument.exchange_id,
        timeframe=instance.timeframe,
        last_analysis_at=instance.last_analysis_at,
        selected_strategy=instance.selected_strategy or None,
        score=instance.score,
        trades_today=trades_begun_today(instance.account, now or timezone.now(), instrument),
        next_run_at=instance.next_run_at,
        instance=instance,
    )


def _turn(
    instance: Instance, before: InstanceState, after: InstanceState, what: str, by: str, now: datetime
) -> bool:
    with transaction.atomic():
        standing = Instance.objects.select_for_update().get(pk=instance.pk)
        if standing.state != before:
            return False
        standing.state = after.value
        runs = after is InstanceState.RUNNING
        standing.next_run_at = now if runs else None
        if runs:
            standing.frozen_reason = ""
        standing.save(update_fields=["state", "next_run_at", "frozen_reason"])
        _record(standing, what, by, now, before={"state": before.value}, after={"state": after.value})
    return True


def _change(instance: Instance, name: str, value: Any, what: str, by: str, now: datetime) -> bool:
    with transaction.atomic():
        standing = Instance.objects.select_for_update().get(pk=instance.pk)
        before = getattr(standing, name)
        if before == value or standing.state == InstanceState.STOPPED:
            return False
        setattr(standing, name, value)
        standing.save(update_fields=[name])
        setattr(instance, name, value)
        _record(standing, what, by, now, before={name: before}, after={name: value})
    return True


def _check(wanted: dict[str, Any]) -> None:
    interval = wanted.get("interval_seconds", SHORTEST_INTERVAL)
    if not SHORTEST_INTERVAL <= interval <= LONGEST_INTERVAL:
        raise InvalidSettingError(
            "interval_seconds", f"must be between {SHORTEST_INTERVAL} and {LONGEST_INTERVAL}"
        )
    for name in RATIOS:
        if not 0 <= wanted.get(name, 0.5) <= 1:
            raise InvalidSettingError(name, "must be between 0 and 1")
    if not wanted.get("risk_fraction", 1) > 0:
        raise InvalidSettingError("risk_fraction", "must be above 0")
    if not 0 <= wanted.get("stop_costs", 0) <= MOST_COSTS:
        raise InvalidSettingError("stop_costs", f"must be between 0 and {MOST_COSTS}")
    counts = {"max_trades_per_day": 0, "limit_bars": 1, "hold_bars": 1}
    for name, least in counts.items():
        if not least <= wanted.get(name, least) <= MOST_TRADES:
            raise InvalidSettingError(name, f"must be between {least} and {MOST_TRADES}")


def _record(
    instance: Instance,
    what: str,
    by: str,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    target = f"{instance.instrument.exchange.code} {instance.instrument} {instance.timeframe}"
    record_action(actor=by, what=what, target=target, now=now, before=before, after=after)

"""The kill switch and its record."""

from datetime import datetime
from enum import StrEnum

import pgtrigger
from django.db import models
from django.db.models import Q

from signals.models.truncation import never_truncated

LONGEST_REASON, LONGEST_NAME = 300, 150


class KillSwitchState(models.TextChoices):
    """As the row holds it; cancels and reductions of orders pass in every state."""

    ARMED = "armed", "Armed"
    REDUCING = "reducing", "Reducing"
    ENGAGED = "engaged", "Engaged"


class TradingState(StrEnum):
    """What the switch means for orders. ACTIVE: all goes. REDUCING: signals go, orders only reduce. HALTED: neither
    signals nor new exposure.
    """

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


# The switch as everybody reads of it: it stops the sending, or sending is on.
SENDING = {
    "armed": "on",
    "reducing": "on, orders only reduce",
    "engaged": "stopped",
    "rearm_requested": "asked to go on",
}

TRADING = {
    KillSwitchState.ARMED.value: TradingState.ACTIVE,
    KillSwitchState.REDUCING.value: TradingState.REDUCING,
    KillSwitchState.ENGAGED.value: TradingState.HALTED,
}


# Written by the database: no path, not even a hand in psql, changes the switch without an entry and a wake-up.
KILL_SWITCH_CHANNEL = "copilot_kill_switch"
RECORD_SWITCH = f"""
INSERT INTO signals_killswitchchange (event, reason, changed_by, changed_at)
SELECT entry.event, entry.reason, entry.changed_by, clock_timestamp()
FROM (SELECT CASE WHEN NEW.rearm_code IS NULL THEN NEW.state ELSE 'rearm_requested' END,
             CASE WHEN NEW.rearm_code IS NULL THEN NEW.reason ELSE NEW.rearm_reason END,
             CASE WHEN NEW.rearm_code IS NULL THEN NEW.changed_by ELSE NEW.rearm_requested_by END
     ) AS entry (event, reason, changed_by);
PERFORM pg_notify('{KILL_SWITCH_CHANNEL}', NEW.state);
RETURN NULL;
"""  # noqa: S608


# A new installation begins armed.
ARMED_ONLY_AT_FIRST = """
IF EXISTS (SELECT FROM signals_killswitchchange) THEN
    RAISE EXCEPTION 'the kill switch is armed by a confirmed request only';
END IF;
RETURN NEW;
"""


class KillSwitch(models.Model):
    """One row. Engaged, or not readable: nothing is sent (`signals.services.kill_switch`)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    state = models.CharField(max_length=8, choices=KillSwitchState.choices)
    reason = models.CharField(max_length=LONGEST_REASON)
    changed_by = models.CharField(max_length=LONGEST_NAME)
    changed_at = models.DateTimeField()
    rearm_code = models.UUIDField(null=True, blank=True, help_text="Confirms one request to re-arm, once.")
    rearm_reason = models.CharField(max_length=LONGEST_REASON, blank=True)
    rearm_requested_by = models.CharField(max_length=LONGEST_NAME, blank=True)
    rearm_expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "kill switch"
        constraints = [
            models.CheckConstraint(name="signals_one_kill_switch", condition=Q(id=1)),
            models.CheckConstraint(
                name="signals_rearm_request_expires",
                condition=Q(rearm_code=None)
                | Q(rearm_expires_at__isnull=False, state__in=["engaged", "reducing"]),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="stays", operation=pgtrigger.Delete),
            never_truncated("stays_untruncated", "the kill switch cannot be truncated"),
            pgtrigger.Trigger(
                name="armed_once_without_request",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(new__state="armed"),
                func=ARMED_ONLY_AT_FIRST,
            ),
            pgtrigger.Protect(
                name="armed_by_confirmed_request",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "((NEW.state = 'armed' AND OLD.state <> 'armed'"
                    " OR NEW.state = 'reducing' AND OLD.state = 'engaged')"
                    " AND (OLD.rearm_code IS NULL OR OLD.rearm_expires_at <= clock_timestamp()))"
                ),
            ),
            pgtrigger.Trigger(
                name="record",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.After,
                func=RECORD_SWITCH,
            ),
        ]

    def __str__(self) -> str:
        return f"Sending {SENDING[self.state]} since {self.changed_at:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def is_armed(self) -> bool:
        return self.state == KillSwitchState.ARMED

    def rearm_is_open(self, now: datetime) -> bool:
        """Whether somebody asked to re-arm it and the second confirmation is still waited for."""
        return self.rearm_expires_at is not None and self.rearm_expires_at > now


class KillSwitchChange(models.Model):
    """One entry for each change of the kill switch, written by its trigger; rows are only ever added."""

    class Event(models.TextChoices):
        ARMED = "armed", "Armed"
        REDUCING = "reducing", "Orders only reduce"
        ENGAGED = "engaged", "Engaged"
        REARM_REQUESTED = "rearm_requested", "Re-arming requested"

    event = models.CharField(max_length=16, choices=Event.choices)
    reason = models.CharField(max_length=LONGEST_REASON)
    changed_by = models.CharField(max_length=LONGEST_NAME)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "the record of the kill switch cannot be truncated"),
        ]

    def __str__(self) -> str:
        return f"Sending {SENDING[self.event]} by {self.changed_by}"

"""What a subscriber wants to hear, and when."""

from datetime import UTC, datetime
from zoneinfo import available_timezones

import pghistory
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.lookups import IsNull

from signals.engine.session import TradingSession
from signals.market.models import Instrument
from users.models import Subscriber


def require_timezone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is no IANA time zone; write for example Europe/Berlin or UTC.")


class LocalTime(Func):
    """`timezone(zone, instant)`: an error of the database when it does not know the zone."""

    function = "timezone"
    output_field = models.DateTimeField()


@pghistory.track(exclude=["cap_changed_at"])
class DeliveryPreference(models.Model):
    """What one subscriber wants to hear, and when."""

    subscriber = models.OneToOneField(Subscriber, on_delete=models.CASCADE, related_name="preference")
    sessions = ArrayField(
        models.CharField(max_length=10, choices=[(s.value, s.label) for s in TradingSession]),
        default=list,
        blank=True,
        help_text="Trading sessions; ignored where the tier has every hour.",
    )
    instruments = models.ManyToManyField(
        Instrument, blank=True, related_name="+", help_text="Empty = all instruments."
    )
    quiet_from = models.TimeField(null=True, blank=True, help_text="Start of quiet hours, local time.")
    quiet_until = models.TimeField(null=True, blank=True, help_text="End of quiet hours, local time.")
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[require_timezone],
        help_text="IANA name, for example Europe/Berlin.",
    )
    daily_cap = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Signals a day; empty = no cap."
    )
    cap_changed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Kept by a trigger; see `services.eligibility`."
    )
    paused_until = models.DateTimeField(null=True, blank=True, help_text="No signals before this moment.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="notifications_quiet_hours_have_two_ends",
                condition=Q(quiet_from=None, quiet_until=None)
                | (Q(quiet_from__isnull=False, quiet_until__isnull=False) & ~Q(quiet_from=F("quiet_until"))),
            ),
            # One unknown zone would fail the fan-out of everybody; it is refused when it is written.
            models.CheckConstraint(
                name="notifications_database_knows_the_timezone",
                condition=IsNull(LocalTime(F("timezone"), Value(datetime(2026, 1, 1, tzinfo=UTC))), False),
            ),
        ]

    def __str__(self) -> str:
        return f"Preferences of {self.subscriber}"


@pghistory.track(
    pghistory.InsertEvent("chosen"),
    pghistory.DeleteEvent("dropped"),
    obj_field=None,
)
class PreferenceInstrument(DeliveryPreference.instruments.through):  # type: ignore[name-defined]
    """An instrument that a subscriber chose: the table stands already, this keeps its history."""

    class Meta:
        proxy = True

"""What everybody needs to know that the system is alive."""

from django.db import models
from django.db.models import Q


class Heartbeat(models.Model):
    """The last sign of life of one process or task."""

    name = models.CharField(max_length=100, primary_key=True)
    beat_at = models.DateTimeField()
    expected_every_seconds = models.PositiveIntegerField()
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%H:%M:%S}"


class Alarm(models.Model):
    """A process that fell silent or is halted, told by one that lives (`signals.services.alarms`)."""

    name = models.CharField(
        max_length=100, help_text="The process, and what is wrong with it unless it is silent."
    )
    raised_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)
    detail = models.CharField(max_length=200)
    told_at = models.DateTimeField(null=True, blank=True, help_text="When staff chats were told of it.")
    told_over_at = models.DateTimeField(null=True, blank=True, help_text="And that it is over.")

    class Meta:
        ordering = ["-raised_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(cleared_at=None), name="signals_one_open_alarm_per_name"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"


class ScheduledSlot(models.Model):
    """One tick of the schedule; unique, so that a second beat or a redelivery runs nothing twice."""

    name = models.CharField(max_length=100)
    slot = models.DateTimeField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-slot", "name"]
        constraints = [models.UniqueConstraint(fields=["name", "slot"], name="signals_slot_runs_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.slot:%Y-%m-%d %H:%M:%S}"

"""A/B tests of how signals are decided: what is compared, who gets which arm, from when to when."""

from datetime import datetime

import pgtrigger
from django.db import models
from django.db.models import F, Q

from signals.models.truncation import never_truncated

DESIGN = ("name", "question", "assignment", "block_hours", "salt", "created_at", "created_by", "ends_at")
NEVER_AGAIN = ("started_at", "ended_at")


class Assignment(models.TextChoices):
    SUBSCRIBER = "subscriber", "By subscriber"
    BLOCK = "block", "By block of signal time"


class ExperimentState(models.TextChoices):
    DRAFT = "draft", "Draft"
    RUNNING = "running", "Running"
    OVER = "over", "Over, not concluded"
    ENDED = "ended", "Ended"
    WITHDRAWN = "withdrawn", "Withdrawn"


class ExperimentQuerySet(models.QuerySet["Experiment"]):
    def at(self, moment: datetime) -> "ExperimentQuerySet":
        """Those that decide on a candle which closed at `moment`: one at most."""
        return self.filter(
            Q(started_at__lte=moment),
            Q(ended_at=None) | Q(ended_at__gt=moment),
            Q(ends_at=None) | Q(ends_at__gt=moment),
        )


class Experiment(models.Model):
    """Its design never changes, nor does a moment that was written once: an experiment is judged as it was planned.

    Candles that close from `started_at` to before its end are decided once per arm. Only one experiment runs
    at a time, so that arms do not mix.
    """

    name = models.CharField(max_length=80, unique=True)
    question = models.TextField(help_text="What is to be found out, and what would be done then.")
    assignment = models.CharField(max_length=10, choices=Assignment.choices)
    block_hours = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Length of a block of signal time."
    )
    salt = models.CharField(max_length=32, help_text="Makes the draw of this experiment its own.")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    started_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Planned: no later candle belongs to it.")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True)
    conclusion = models.TextField(blank=True, help_text="Why it was ended, and what was concluded.")

    objects = ExperimentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["ended_at"],
                condition=Q(started_at__isnull=False, ended_at=None),
                nulls_distinct=False,
                name="signals_experiment_one_at_a_time",
            ),
            models.CheckConstraint(
                name="signals_experiment_blocks_have_a_length",
                condition=Q(assignment=Assignment.BLOCK, block_hours__gte=1)
                | Q(assignment=Assignment.SUBSCRIBER, block_hours=None),
            ),
            models.CheckConstraint(
                name="signals_experiment_end_is_signed",
                condition=Q(ended_at=None) | (~Q(ended_by="") & ~Q(conclusion="")),
            ),
            models.CheckConstraint(
                name="signals_experiment_ends_after_it_starts",
                condition=Q(started_at=None)
                | (
                    (Q(ended_at=None) | Q(ended_at__gte=F("started_at")))
                    & (Q(ends_at=None) | Q(ends_at__gt=F("started_at")))
                ),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="stays", operation=pgtrigger.Delete),
            never_truncated("stays_untruncated", "experiments cannot be truncated"),
            pgtrigger.Protect(
                name="keeps_its_design",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    " OR ".join(
                        [
                            *(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in DESIGN),
                            *(
                                f"(OLD.{name} IS NOT NULL AND OLD.{name} IS DISTINCT FROM NEW.{name})"
                                for name in NEVER_AGAIN
                            ),
                        ]
                    )
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def state(self, now: datetime) -> ExperimentState:
        if self.ended_at is not None:
            return ExperimentState.ENDED if self.started_at else ExperimentState.WITHDRAWN
        if self.started_at is None:
            return ExperimentState.DRAFT
        return ExperimentState.OVER if self.ends_at and self.ends_at <= now else ExperimentState.RUNNING

    @property
    def end(self) -> datetime | None:
        """From when on no candle belongs to it."""
        return min((each for each in (self.ended_at, self.ends_at) if each), default=None)


class ExperimentArm(models.Model):
    """One way to decide, with all its settings as they were when it was planned; never changed.

    The first arm is the control, which has no variant: its signals are the ones that everybody gets otherwise.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="arms")
    position = models.PositiveSmallIntegerField(help_text="0 is the control.")
    name = models.CharField(max_length=40)
    variant = models.CharField(max_length=32, blank=True, help_text="Names its signals; empty = the control.")
    settings = models.JSONField(help_text="Of the fused decision, complete.")
    share = models.FloatField(help_text="Of the units, 0 to 1.")

    class Meta:
        ordering = ["experiment", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["experiment", "position"], name="signals_arm_has_a_place_of_its_own"
            ),
            models.UniqueConstraint(
                fields=["variant"], condition=~Q(variant=""), name="signals_arm_variant_once"
            ),
            models.CheckConstraint(
                name="signals_arm_control_alone_has_no_variant",
                condition=Q(position=0, variant="") | (Q(position__gt=0) & ~Q(variant="")),
            ),
            models.CheckConstraint(
                name="signals_arm_share_is_a_ratio", condition=Q(share__gt=0, share__lt=1)
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="frozen", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("frozen_untruncated", "arms of experiments cannot be truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.experiment}: {self.name}"

"""How people come: invitations that a tier is given away by."""

from datetime import datetime

import pghistory
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from users.models.people import Subscriber, Tier


@pghistory.track(exclude=["code_hash"])
class Invitation(models.Model):
    """A link or code with which anybody becomes a subscriber of a tier, so often and until then."""

    name = models.CharField(max_length=100, help_text="For whom or what it is, for you.")
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="invitations")
    code_hash = models.CharField(max_length=64, unique=True, editable=False)
    most_uses = models.PositiveIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="How many may come by it."
    )
    used = models.PositiveIntegerField(default=0, editable=False)
    expires_at = models.DateTimeField(help_text="Nobody comes by it from then on.")
    days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Length of it; empty = no end.",
    )
    is_trial = models.BooleanField(default=False, help_text="A trial ends without days of grace.")
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="users_invitation_is_not_used_too_often", condition=Q(used__lte=F("most_uses"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.used} of {self.most_uses})"

    def is_open(self, now: datetime) -> bool:
        return self.revoked_at is None and self.expires_at > now and self.used < self.most_uses


class InvitationUse(models.Model):
    """Who came by which invitation."""

    invitation = models.ForeignKey(Invitation, on_delete=models.PROTECT, related_name="uses")
    subscriber = models.OneToOneField(Subscriber, on_delete=models.CASCADE, related_name="invited_by")
    used_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.subscriber} by {self.invitation}"

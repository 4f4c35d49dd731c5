from django.db import models

from signals.models import LedgerHead


class HeadPlace(models.TextChoices):
    CHAT = "chat", "Chat of the staff"
    GIT = "git", "Git remote"


class HeadAnnouncement(models.Model):
    """A signed head that was handed to a place outside, where it can no longer be changed unseen."""

    head = models.ForeignKey(LedgerHead, on_delete=models.PROTECT, related_name="announcements")
    place = models.CharField(max_length=4, choices=HeadPlace)
    announced_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["head", "place"], name="notifications_head_once_per_place"),
        ]

    def __str__(self) -> str:
        return f"{self.head}: {self.place}"

"""What subscribers did with their signals."""

from django.db import models

from notifications.models.delivery import Delivery


class Answer(models.TextChoices):
    ACTED = "acted", "Acted"
    IGNORED = "ignored", "Ignored"


class Feedback(models.Model):
    """What the subscriber did with a delivered signal; may change until the end of the signal may be known."""

    delivery = models.OneToOneField(Delivery, on_delete=models.PROTECT, related_name="feedback")
    answer = models.CharField(max_length=8, choices=Answer.choices)
    answered_at = models.DateTimeField(help_text="Of the answer that stands.")
    changes = models.PositiveSmallIntegerField(default=0, help_text="How often the mind was changed.")

    class Meta:
        ordering = ["-answered_at"]
        verbose_name_plural = "feedback"

    def __str__(self) -> str:
        return f"{self.answer} to {self.delivery_id}"

"""The picture of a signal."""

from django.db import models
from django.db.models import Q

from signals.models import Signal


class SignalPicture(models.Model):
    """The picture of one signal: wanted when it was published, drawn once by a worker, uploaded once.

    Whoever is sent it first uploads `png`; from then on Telegram's `file_id` is enough. A signal whose picture
    is not there when it is due goes out as text.
    """

    signal = models.OneToOneField(Signal, on_delete=models.PROTECT, related_name="picture")
    png = models.BinaryField(null=True, help_text="Empty: not drawn yet, or given up.")
    file_id = models.CharField(max_length=200, blank=True, help_text="Telegram's name for it once uploaded.")
    error = models.CharField(max_length=300, blank=True, help_text="Why there is none.")
    attempts = models.PositiveSmallIntegerField(default=0)
    requested_at = models.DateTimeField()
    awaited_until = models.DateTimeField(
        null=True, blank=True, help_text="Deliveries wait for it until then; empty: they do not."
    )
    drawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-requested_at"]
        indexes = [
            models.Index(
                fields=["requested_at"],
                name="notifications_picture_waiting",
                condition=Q(png=None, error=""),
            ),
        ]

    def __str__(self) -> str:
        return f"Picture of {self.signal}"

"""What Telegram told us, and what replies may take of its limits."""

from django.db import models
from django.db.models import Q


class ReplyTurn(models.Model):
    """From when on a chat may be sent the next reply; chat 0 stands for all of them together."""

    chat_id = models.BigIntegerField(primary_key=True)
    free_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.chat_id} from {self.free_at:%H:%M:%S}"


class ChatState(models.Model):
    """What a chat is in the middle of: the question that its next text answers, and wrong codes that it typed."""

    chat_id = models.BigIntegerField(primary_key=True)
    expects = models.CharField(max_length=20, blank=True, help_text="Setting that the next text is for.")
    asked_at = models.DateTimeField(null=True, blank=True)
    wrong_codes = models.PositiveSmallIntegerField(default=0)
    wrong_since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.chat_id} {self.expects}".strip()


class TelegramUpdate(models.Model):
    """The inbox: an update is committed here before Telegram hears 200, and worked off from here."""

    update_id = models.BigIntegerField(primary_key=True)
    payload = models.JSONField()
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    outcome = models.CharField(max_length=200, blank=True)
    turn_at = models.DateTimeField(
        null=True, blank=True, help_text="When a question that came among many is to be answered."
    )

    class Meta:
        ordering = ["-received_at"]
        indexes = [
            models.Index(
                fields=["received_at"], name="notifications_update_waiting", condition=Q(processed_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"Update {self.update_id}"

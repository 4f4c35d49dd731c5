"""The Telegram chats of staff."""

from django.db import models

from users.models.people import User


class StaffChat(models.Model):
    """The Telegram chat in which one of the staff may ask and stop. What they may do is read at each command."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="staff_chat")
    chat_id = models.BigIntegerField(null=True, blank=True, unique=True)
    linked_at = models.DateTimeField(null=True, blank=True)
    token_hash = models.CharField(max_length=64, blank=True, help_text="Of the open one-time token.")
    token_expires_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Telegram chat of {self.user}"

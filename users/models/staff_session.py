"""Where staff are logged in."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models

from users.models.people import User


class StaffSessionQuerySet(models.QuerySet["StaffSession"]):
    def under_way(self, now: datetime) -> "StaffSessionQuerySet":
        """That open a page at this moment."""
        idle = timedelta(seconds=settings.SESSION_IDLE_SECONDS)
        longest = timedelta(seconds=settings.SESSION_LASTS_SECONDS)
        kept = Session.objects.filter(expire_date__gt=now).values("session_key")
        return self.filter(
            ended_at=None, session_key__in=kept, began_at__gt=now - longest, seen_at__gt=now - idle
        )


class StaffSession(models.Model):
    """A log-in of staff that is under way. Django's own row of the session knows neither whose it is nor from where."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="staff_sessions")
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="When its person last asked for a page; to the minute.")
    address = models.CharField(max_length=64, blank=True)
    browser = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = StaffSessionQuerySet.as_manager()

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return f"Session of {self.user} since {self.began_at:%Y-%m-%d %H:%M} UTC"

"""Keys of the API, and the answers that a repeated request gets once more."""

from datetime import datetime

import pghistory
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from users.engine.api_key import ApiScope
from users.models.people import Tier, choices


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def open(self, now: datetime) -> "ApiKeyQuerySet":
        """Neither revoked nor expired."""
        return self.filter(revoked_at=None).exclude(expires_at__lte=now)


# The history says who made a key and who revoked it; each use would only fill it.
@pghistory.track(exclude=["key_hash", "last_used_at"])
class ApiKey(models.Model):
    """A program's way in, in the name of one member of staff. Only the key's hash is kept."""

    name = models.CharField(max_length=100, help_text="What uses it, for example: dashboard of Ada.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_keys")
    tier = models.ForeignKey(
        Tier,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="api_keys",
        help_text="Of an integrator: signals come as late as this tier gets them. Empty = staff.",
    )
    scopes = ArrayField(models.CharField(max_length=8, choices=choices(ApiScope)))
    prefix = models.CharField(max_length=20, help_text="How the key begins.")
    key_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty = no end.")
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="users_api_key_has_known_scopes",
                condition=Q(scopes__contained_by=[scope.value for scope in ApiScope], scopes__len__gt=0),
            ),
            models.CheckConstraint(
                name="users_api_key_of_a_tier_only_reads",
                condition=Q(tier=None) | Q(scopes__contained_by=[ApiScope.READ.value]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_open(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class ApiRequest(models.Model):
    """A POST with an Idempotency-Key: claimed before the work, answered with it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, null=True, related_name="+")
    idempotency_key = models.CharField(max_length=255)
    path = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the method, the path and the body.")
    claimed_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, help_text="Empty while the work is under way.")
    answer = models.JSONField(null=True)

    class Meta:
        verbose_name = "API request"
        ordering = ["-claimed_at"]
        constraints = [
            models.UniqueConstraint(
                name="users_api_request_once",
                fields=["user", "api_key", "idempotency_key"],
                nulls_distinct=False,
            )
        ]
        indexes = [models.Index(name="users_api_request_by_age", fields=["claimed_at"])]

    def __str__(self) -> str:
        return f"{self.path} {self.idempotency_key}"

"""What a live account needs besides its limits: a key, an arming, and a venue that tells the same story."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q

from autopilot.models.account import Account
from autopilot.models.columns import in_steps
from autopilot.models.order import Order
from signals.market.models import Exchange, Instrument

LONGEST_ARMING = timedelta(hours=24)


class KeyState(models.TextChoices):
    UNCHECKED = "unchecked", "Not yet checked by the executor"
    USABLE = "usable", "Usable"
    REFUSED = "refused", "Refused"


class ExchangeKey(models.Model):
    """An exchange's API key, of which this row shows what everybody may see. What is refused is forgotten."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="exchange_key")
    exchange = models.ForeignKey(Exchange, on_delete=models.PROTECT, related_name="+")
    key_id = models.CharField(max_length=16, help_text="Which encryption key; a rotation changes it.")
    shown = models.CharField(max_length=8, help_text="The last characters of the API key.")
    state = models.CharField(max_length=9, choices=KeyState.choices, default=KeyState.UNCHECKED)
    ip_restricted = models.BooleanField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)
    stored_by = models.CharField(max_length=150)
    stored_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["account"]

    def __str__(self) -> str:
        return f"{self.exchange} …{self.shown}"

    @property
    def ciphertext(self) -> bytes:
        """Empty once it is forgotten. Only the executor's role may ask."""
        secret: KeySecret | None = getattr(self, "secret", None)
        return bytes(secret.ciphertext) if secret else b""


class KeySecret(models.Model):
    """Key and secret, encrypted under a key that is not in the database.

    In a table of its own because the application's role may write `ciphertext` and not read it
    (`copilot_project/database_roles.py`).
    """

    key = models.OneToOneField(ExchangeKey, on_delete=models.CASCADE, primary_key=True, related_name="secret")
    ciphertext = models.BinaryField()

    def __str__(self) -> str:
        return f"Secret of {self.key_id}"


class LiveArmingQuerySet(models.QuerySet["LiveArming"]):
    def in_force(self, now: datetime) -> "LiveArmingQuerySet":
        return self.filter(confirmed_at__isnull=False, ended_at=None, expires_at__gt=now)

    def open_requests(self) -> "LiveArmingQuerySet":
        return self.filter(confirmed_at=None, ended_at=None)


class LiveArming(models.Model):
    """One permission to trade live: asked for by one person, confirmed by another, ended by time, hand or restart."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="armings")
    reason = models.CharField(max_length=300)
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    confirmed_by = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True)

    objects = LiveArmingQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(ended_at=None), name="autopilot_one_arming_at_a_time"
            ),
            models.CheckConstraint(
                name="autopilot_arming_expires_within_a_day",
                condition=Q(confirmed_at=None) | Q(expires_at__lte=F("confirmed_at") + LONGEST_ARMING),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} until {self.expires_at:%Y-%m-%d %H:%M} UTC"


class FreezeCause(models.TextChoices):
    UNKNOWN_ORDER = "unknown_order", "An order of unknown fate"
    POSITION_DIFFERS = "position_differs", "The exchange holds something else than our fills"
    UNPROTECTED = "unprotected", "A position without its stop"


class SymbolFreeze(models.Model):
    """No new exposure in this instrument. An order's fate lifts its own; a person lifts any."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="freezes")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="freezes")
    cause = models.CharField(max_length=16, choices=FreezeCause.choices)
    note = models.CharField(max_length=300, blank=True)
    frozen_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "instrument", "cause", "order"],
                condition=Q(lifted_at=None),
                nulls_distinct=False,
                name="autopilot_freeze_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.instrument}: {self.get_cause_display()}"


class Holding(models.Model):
    """What the exchange held of an asset that is not from our fills, when we began: it is left alone."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holdings")
    asset = models.CharField(max_length=16)
    quantity = in_steps()
    since = models.DateTimeField()
    accepted_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["account", "asset"]
        constraints = [models.UniqueConstraint(fields=["account", "asset"], name="autopilot_holding_once")]

    def __str__(self) -> str:
        return f"{self.account} {self.asset}"


class Reconciliation(models.Model):
    """How an account and its exchange compared the last time. `boot` is the executor's start that compared."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="reconciliation")
    at = models.DateTimeField()
    boot = models.UUIDField()
    is_clean = models.BooleanField()
    clock_offset_ms = models.IntegerField(null=True, blank=True, help_text="Exchange's clock less ours.")
    findings = models.JSONField(default=list, help_text="What differs, in words.")
    external_orders = models.JSONField(default=list, help_text="Open orders that are not ours: left alone.")
    balances = models.JSONField(default=list)

    class Meta:
        ordering = ["account"]

    def __str__(self) -> str:
        return f"{self.account} {self.at:%Y-%m-%d %H:%M:%S}"

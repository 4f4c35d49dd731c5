"""Staff who log in, tiers, and subscribers, who never do: they live in Telegram."""

import uuid
from datetime import datetime, timedelta

import pghistory
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Case, DateTimeField, DurationField, ExpressionWrapper, F, Q, Value, When

from users.engine.subscriber import AccountType, Language, RiskProfile, SubscriberStatus


def choices(enum: type) -> list[tuple[str, str]]:
    return [(member.value, member.value.replace("_", " ").title()) for member in enum]  # type: ignore[attr-defined]


@pghistory.track(exclude=["password", "last_login"])
class User(AbstractUser):
    """Staff only. Subscribers have no login."""

    email = models.EmailField(unique=True)


@pghistory.track()
class Tier(models.Model):
    """What a subscription buys. The rows are the rules: editing one changes what is sent next."""

    code = models.SlugField(unique=True)
    name = models.CharField(max_length=50)
    rank = models.PositiveSmallIntegerField(unique=True, help_text="Higher is served first.")
    delay_seconds = models.PositiveIntegerField(default=0, help_text="Time between publication and release.")
    max_sessions = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="How many trading sessions may be chosen; empty = every hour of the day.",
    )
    account_types = ArrayField(
        models.CharField(max_length=8, choices=choices(AccountType)),
        help_text="Account types that may use it.",
    )
    experimental = models.BooleanField(default=False, help_text="Whether experimental signals are included.")
    grace_days = models.PositiveSmallIntegerField(
        default=0,
        help_text="Days after its end in which a subscription that was no trial still gets signals.",
    )
    stars_price = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(10_000)],
        help_text="Telegram Stars for one period; empty = not sold by the bot.",
    )
    stars_days = models.PositiveSmallIntegerField(
        default=30, validators=[MinValueValidator(1)], help_text="Days that one payment buys."
    )

    class Meta:
        ordering = ["-rank"]

    def __str__(self) -> str:
        return self.name


GRACE = ExpressionWrapper(F("tier__grace_days") * Value(timedelta(days=1)), output_field=DurationField())
ACCESS_ENDS_AT = ExpressionWrapper(
    F("subscription_ends_at")
    + Case(When(is_trial=True, then=Value(timedelta(0))), default=GRACE, output_field=DurationField()),
    output_field=DateTimeField(),
)


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    def active(self) -> "SubscriberQuerySet":
        return self.filter(status=SubscriberStatus.ACTIVE)

    def subscribed(self, now: datetime) -> "SubscriberQuerySet":
        """Active, begun, and not ended, the days of grace included."""
        begun = Q(subscription_starts_at=None) | Q(subscription_starts_at__lte=now)
        going = Q(subscription_ends_at=None) | Q(ends_with_grace__gt=now)
        return self.active().alias(ends_with_grace=ACCESS_ENDS_AT).filter(begun & going)

    def reachable(self, now: datetime) -> "SubscriberQuerySet":
        """Those whom a signal of now can reach: with a chat that Telegram takes."""
        return self.subscribed(now).filter(chat_id__isnull=False, unreachable_reason="")


# Personal data stays out of the history, so that removing a person removes all of it.
@pghistory.track(exclude=["display_name", "chat_id", "telegram_username", "notes"])
class Subscriber(models.Model):
    """Somebody who receives signals in one Telegram chat."""

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    display_name = models.CharField(max_length=100)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="subscribers")
    account_type = models.CharField(
        max_length=8, choices=choices(AccountType), default=AccountType.DEMO.value
    )
    risk_profile = models.CharField(
        max_length=12, choices=choices(RiskProfile), default=RiskProfile.MEDIUM.value
    )
    status = models.CharField(
        max_length=10, choices=choices(SubscriberStatus), default=SubscriberStatus.ACTIVE.value
    )
    capital = models.DecimalField(
        max_digits=16,
        decimal_places=2,
        default=1000,
        validators=[MinValueValidator(0)],
        help_text="Used only for the size shown in messages.",
    )
    capital_currency = models.CharField(
        max_length=16,
        default="USD",
        blank=True,
        validators=[
            RegexValidator(r"^[A-Z0-9]{2,16}$", "A currency's code in capitals, for example USD or BTC.")
        ],
        help_text="Of the capital. Dollars and their stablecoins count as one; other quotes get no size.",
    )
    risk_fraction = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default="0.0100",
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Share of the capital that one signal may lose at its stop, 0 to 1.",
    )
    language = models.CharField(
        max_length=8,
        choices=[(member.value, member.label) for member in Language],
        default=Language.ENGLISH.value,
        help_text="Of the bot's messages.",
    )
    subscription_starts_at = models.DateTimeField(
        null=True, blank=True, help_text="No signals before; empty = from the beginning."
    )
    subscription_ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty = no end.")
    is_trial = models.BooleanField(default=False, help_text="A trial ends without days of grace.")
    chat_id = models.BigIntegerField(
        null=True, blank=True, unique=True, help_text="Set when /start links a chat."
    )
    telegram_username = models.CharField(max_length=64, blank=True)
    linked_at = models.DateTimeField(null=True, blank=True)
    unreachable_reason = models.CharField(
        max_length=200, blank=True, help_text="Why Telegram refuses this chat; empty = reachable."
    )
    notes = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        ordering = ["display_name"]
        constraints = [
            models.CheckConstraint(
                name="users_removed_subscriber_has_no_personal_data",
                condition=~Q(status=SubscriberStatus.REMOVED.value)
                | Q(chat_id=None, telegram_username="", notes="", display_name=""),
            ),
            models.CheckConstraint(
                name="users_subscriber_risk_fraction_is_a_ratio",
                condition=Q(risk_fraction__gte=0, risk_fraction__lte=1, capital__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return self.display_name or f"Removed subscriber {str(self.public_id)[:8]}"

    def clean(self) -> None:
        self.capital_currency = self.capital_currency.upper() or "USD"

    def has_ended(self, now: datetime) -> bool:
        """Signals come no more; the days of grace are over, too."""
        return self.access_ends_at is not None and self.access_ends_at <= now

    @property
    def access_ends_at(self) -> datetime | None:
        """The end with the days of grace; None for no end."""
        if self.subscription_ends_at is None:
            return None
        return self.subscription_ends_at + timedelta(days=0 if self.is_trial else self.tier.grace_days)


class LinkToken(models.Model):
    """One chance to bind a Telegram chat to a subscriber. Only the hash of the token is kept."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="link_tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Link token of {self.subscriber}"

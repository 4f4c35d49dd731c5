"""The words in which a subscriber is described."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class AccountType(StrEnum):
    DEMO = "demo"
    LIVE = "live"


class RiskProfile(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    AGGRESSIVE = "aggressive"


class Language(StrEnum):
    """What the bot speaks."""

    ENGLISH = "en"
    GERMAN = "de"

    @property
    def label(self) -> str:
        return {"en": "English", "de": "Deutsch"}[self.value]


class SubscriberStatus(StrEnum):
    """Removed means that personal data are gone; the accounts of deliveries stay."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    REMOVED = "removed"


# The least confidence that a signal must have to reach a subscriber of that profile.
MINIMUM_CONFIDENCE: Mapping[RiskProfile, float] = MappingProxyType(
    {RiskProfile.LOW: 0.70, RiskProfile.MEDIUM: 0.55, RiskProfile.AGGRESSIVE: 0.40}
)

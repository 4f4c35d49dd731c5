"""What subscribers set for themselves, held to their tier."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError

from users.engine.subscriber import AccountType, Language, RiskProfile
from users.models import Subscriber

MINE = ("account_type", "risk_profile", "capital", "risk_fraction", "language")


class SettingError(Exception):
    """A setting was not changed; `reason` is a code for the words in which the bot says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"setting not changed: {reason}")
        self.reason = reason


def change_settings(
    *,
    subscriber_id: int,
    account_type: AccountType | None = None,
    risk_profile: RiskProfile | None = None,
    capital: Decimal | None = None,
    risk_fraction: Decimal | None = None,
    language: Language | None = None,
) -> Subscriber:
    """Change what is given, in the caller's transaction; raises SettingError where tier or limits do not allow it."""
    given: dict[str, Any] = {
        "account_type": account_type,
        "risk_profile": risk_profile,
        "capital": capital,
        "risk_fraction": risk_fraction,
        "language": language,
    }
    held = Subscriber.objects.select_for_update(of=("self",)).select_related("tier").get(pk=subscriber_id)
    changed = [name for name in MINE if given[name] is not None]
    for name in changed:
        setattr(held, name, given[name])
    if account_type is not None and account_type not in held.tier.account_types:
        raise SettingError("account_type")
    try:
        held.clean_fields(
            exclude=[field.name for field in Subscriber._meta.fields if field.name not in changed]  # noqa: SLF001
        )
    except ValidationError as error:
        raise SettingError(next(iter(error.message_dict))) from error
    held.save(update_fields=changed)
    return held

"""Roles of staff as groups, each with the least that its work takes.

They are the code's: after each migration each holds exactly what stands here, new tables included. Who needs another
right gets another group. Nobody but the superuser made at the terminal works with users, groups and their rights, and
no role deletes.
"""

from dataclasses import dataclass
from typing import Any

WORKED_WITH = ("signals", "market", "notifications", "research", "autopilot")
# Persons, their money and chats, what staff did, and where secrets are kept.
PERSONAL = frozenset({
    "notifications.chatstate", "notifications.delivery", "notifications.deliverypreference",
    "notifications.exclusionrecord", "notifications.feedback", "notifications.notice", "notifications.replyturn",
    "notifications.starspayment", "notifications.telegramupdate", "notifications.webhookdelivery",
    "notifications.webhookendpoint", "research.replaydelivery", "signals.action", "autopilot.exchangekey",
})  # fmt: skip


@dataclass(frozen=True)
class Role:
    """`sees` and `works` are models, `app.*` all of an app that are not personal; who works with a model sees it."""

    name: str
    sees: tuple[str, ...]
    works: tuple[str, ...] = ()

    def may(self, app: str, model: str, codename: str) -> bool:
        if codename == f"view_{model}":
            return names(self.sees, app, model) or names(self.works, app, model)
        return codename in {f"add_{model}", f"change_{model}"} and names(self.works, app, model)


def names(models: tuple[str, ...], app: str, model: str) -> bool:
    label = f"{app}.{model}"
    return label in models or (f"{app}.*" in models and label not in PERSONAL)


VIEWED = ("signals.*", "market.*", "notifications.*", "research.*", "autopilot.*", "users.tier")
VIEWER = Role("viewer", sees=VIEWED)
OPERATOR = Role(
    "operator",
    sees=(
        *VIEWED, "signals.action", "notifications.delivery", "notifications.exclusionrecord",
        "notifications.feedback", "notifications.notice", "notifications.starspayment",
        "notifications.telegramupdate", "users.invitationuse",
    ),
    works=(
        "users.subscriber", "users.linktoken", "users.invitation", "notifications.deliverypreference",
        "notifications.webhookdelivery", "notifications.starspayment", "signals.killswitch", "signals.job",
        "market.instrument", "autopilot.instance",
    ),
)  # fmt: skip
RESEARCHER = Role(
    "researcher",
    sees=VIEWED,
    works=(
        "research.*", "signals.experiment", "signals.experimentarm", "signals.job", "signals.trainedmodel",
        "autopilot.bootstrapconfig",
    ),
)  # fmt: skip
ADMIN = Role(
    "admin",
    sees=(),
    works=(
        *(f"{app}.*" for app in WORKED_WITH), *sorted(PERSONAL), "users.subscriber", "users.tier", "users.linktoken",
        "users.apikey", "users.apirequest", "users.invitation", "users.invitationuse",
    ),
)  # fmt: skip
ROLES = (VIEWER, OPERATOR, RESEARCHER, ADMIN)


def grant_roles(using: str, **kwargs: Any) -> None:
    """Runs for the last app, when the permissions of all have been made."""
    from django.contrib.auth.models import Group, Permission  # noqa: PLC0415  (models are loaded after apps)

    rights = list(Permission.objects.using(using).select_related("content_type"))
    for role in ROLES:
        group, _ = Group.objects.using(using).get_or_create(name=role.name)
        group.permissions.set(
            right
            for right in rights
            if role.may(right.content_type.app_label, right.content_type.model, right.codename)
        )

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

WORKED_WITH = ("signals", "market", "notifications", "research", "autopilot")


class ResearchConfig(AppConfig):
    name = "research"

    def ready(self) -> None:
        post_migrate.connect(grant_console_rights, sender=self)


def grant_console_rights(using: str, **kwargs: Any) -> None:
    """After each migration, `Admins` may see, add and change all that the console shows, new tables included.

    It runs for the last app, when the permissions of all have been made. Users, groups and rights stay
    with the superuser.
    """
    from django.contrib.auth.models import Group, Permission  # noqa: PLC0415  (models are loaded after apps)
    from django.db.models import Q  # noqa: PLC0415

    from users.adapters import ADMIN_GROUP  # noqa: PLC0415

    rights = Permission.objects.using(using).filter(
        Q(content_type__app_label__in=WORKED_WITH)
        | Q(
            content_type__app_label="users",
            content_type__model__in=["subscriber", "tier", "linktoken", "apikey", "apirequest"],
        )
    )
    group, _ = Group.objects.using(using).get_or_create(name=ADMIN_GROUP)
    group.permissions.add(*rights.exclude(codename__startswith="delete_"))

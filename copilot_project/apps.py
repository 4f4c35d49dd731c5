import sys

from allauth.socialaccount import apps as social_apps
from django.apps import AppConfig, apps
from django.contrib import admin
from django.contrib.admin import apps as admin_apps  # its classes in this module would be further defaults
from django.db.models.signals import post_migrate

from copilot_project.roles import grant_roles

# They show no page and run no system check, so they need not load what the pages need.
PAGELESS_COMMANDS = ("backfill", "import_candles", "send_deliveries")
CELERY = ("/celery", "/celery/__main__.py")
HELP = ("--help", "-h")


class CopilotProjectConfig(AppConfig):
    name = "copilot_project"
    verbose_name = "CoPilot"
    default = True

    def ready(self) -> None:
        # Without it `shared_task` belongs to a default app, and web and commands would look for a broker on AMQP.
        import copilot_project.celery  # noqa: F401, PLC0415
        from copilot_project import audit, session_limits  # noqa: PLC0415  (models are loaded now)

        audit.connect()
        session_limits.connect()
        post_migrate.connect(grant_roles, sender=apps.get_app_config("research"))


class ConsoleConfig(admin_apps.SimpleAdminConfig):
    """Django's admin, on the site of `admin_site.py`.

    The admin's modules load the decision code and Telegram's client: seconds that not every command should take.
    """

    default = False
    default_site = "copilot_project.admin_site.ConsoleSite"

    def ready(self) -> None:
        super().ready()
        if not is_pageless(sys.argv):
            admin.autodiscover()


class LoginConfig(social_apps.SocialAccountConfig):
    """allauth's, whose providers bring an HTTP client: they are loaded with the addresses, which only web does."""

    default = False

    def ready(self) -> None:
        from allauth.socialaccount import checks  # noqa: F401, PLC0415  (registers them)


def is_pageless(arguments: list[str]) -> bool:
    """Whether this process is Celery's, or `manage.py` with a command that shows no page or only its help."""
    program, *rest = arguments or [""]
    if program.endswith(CELERY):
        return True
    if not program.endswith("manage.py"):
        return False
    return rest[:1] != [] and (rest[0] in PAGELESS_COMMANDS or any(word in HELP for word in rest))

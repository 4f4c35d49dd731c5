from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps  # its class in this module would be a second default


class CopilotProjectConfig(AppConfig):
    name = "copilot_project"
    verbose_name = "CoPilot"

    def ready(self) -> None:
        # Without it `shared_task` belongs to a default app, and web and commands would look for a broker on AMQP.
        import copilot_project.celery  # noqa: F401, PLC0415


class ConsoleConfig(admin_apps.AdminConfig):
    """Django's admin, on the site of `admin_site.py`."""

    default = False
    default_site = "copilot_project.admin_site.ConsoleSite"

from django.apps import AppConfig


class CopilotProjectConfig(AppConfig):
    name = "copilot_project"
    verbose_name = "CoPilot"

    def ready(self) -> None:
        # Without it `shared_task` belongs to a default app, and web and commands would look for a broker on AMQP.
        import copilot_project.celery  # noqa: F401, PLC0415

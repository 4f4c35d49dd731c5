from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "users"

    def ready(self) -> None:
        from users import events, receivers  # noqa: PLC0415  (models are loaded after apps)

        events.subscriber_removed.connect(receivers.forget_in_admin_log)

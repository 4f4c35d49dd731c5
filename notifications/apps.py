from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications.receivers import deliver, forget_removed_chat  # noqa: PLC0415  (models are loaded now)
        from signals.events import signal_published  # noqa: PLC0415
        from users.events import subscriber_removed  # noqa: PLC0415

        signal_published.connect(deliver, dispatch_uid="notifications.deliver")
        subscriber_removed.connect(forget_removed_chat, dispatch_uid="notifications.forget_removed_chat")

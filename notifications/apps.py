from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import receivers  # noqa: PLC0415  (models are loaded now)
        from signals.events import outcomes_recorded, signal_coming, signal_published  # noqa: PLC0415
        from users.events import subscriber_removed  # noqa: PLC0415

        signal_coming.connect(receivers.deliver, dispatch_uid="notifications.deliver")
        signal_published.connect(receivers.deliver_capped, dispatch_uid="notifications.deliver_capped")
        outcomes_recorded.connect(receivers.tell_outcomes, dispatch_uid="notifications.tell_outcomes")
        subscriber_removed.connect(
            receivers.forget_removed_chat, dispatch_uid="notifications.forget_removed_chat"
        )

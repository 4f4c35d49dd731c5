from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import receivers  # noqa: PLC0415  (models are loaded now)
        from signals.events import outcomes_recorded, signal_coming, signal_published  # noqa: PLC0415
        from users.events import chat_left  # noqa: PLC0415

        signal_coming.connect(receivers.deliver, dispatch_uid="notifications.deliver")
        signal_published.connect(receivers.deliver_capped, dispatch_uid="notifications.deliver_capped")
        outcomes_recorded.connect(receivers.tell_outcomes, dispatch_uid="notifications.tell_outcomes")
        chat_left.connect(receivers.forget_left_chat, dispatch_uid="notifications.forget_left_chat")

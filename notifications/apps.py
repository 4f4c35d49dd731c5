from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from signals.events import (  # noqa: PLC0415
            outcomes_recorded,
            signal_coming,
            signal_published,
            stops_passed_entry,
        )
        from signals.market.events import connect_late  # noqa: PLC0415
        from users.events import chat_left, subscriber_removed  # noqa: PLC0415

        connect_late(signal_coming, "notifications.receivers.deliver")
        connect_late(signal_published, "notifications.receivers.deliver_capped")
        connect_late(outcomes_recorded, "notifications.receivers.tell_outcomes")
        connect_late(stops_passed_entry, "notifications.receivers.tell_raised_stops")
        connect_late(chat_left, "notifications.receivers.forget_left_chat")
        connect_late(subscriber_removed, "notifications.receivers.forget_removed")

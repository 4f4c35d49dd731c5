from django.apps import AppConfig


class AutopilotConfig(AppConfig):
    name = "autopilot"

    def ready(self) -> None:
        from signals.market.events import candles_closed, connect_late  # noqa: PLC0415  (models first)
        from signals.services.votes import register_vote  # noqa: PLC0415

        register_vote("autopilot.services.group_votes.hear_selector")
        connect_late(candles_closed, "autopilot.receivers.fill_on_closed_candle")

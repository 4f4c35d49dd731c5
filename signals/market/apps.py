from django.apps import AppConfig


class MarketConfig(AppConfig):
    name = "signals.market"
    label = "market"

from django.apps import AppConfig


class SignalsConfig(AppConfig):
    name = "signals"

    def ready(self) -> None:
        from signals.market.events import candles_closed  # noqa: PLC0415  (models first)
        from signals.receivers import evaluate_closed_candle  # noqa: PLC0415

        candles_closed.connect(evaluate_closed_candle, dispatch_uid="signals.evaluate_closed_candle")

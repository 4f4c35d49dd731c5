from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate


class SignalsConfig(AppConfig):
    name = "signals"

    def ready(self) -> None:
        from signals import crash_points  # noqa: PLC0415
        from signals.market.events import candles_closed, connect_late  # noqa: PLC0415  (models first)

        connect_late(candles_closed, "signals.receivers.evaluate_closed_candle")
        crash_points.arm(settings.COPILOT_CRASH_AT)
        post_migrate.connect(install_kill_switch, sender=self)


def install_kill_switch(using: str, **kwargs: Any) -> None:
    """After the first migration the switch is armed. A row that was there before and is gone stays gone: engaged."""
    from django.utils import timezone  # noqa: PLC0415  (models are loaded after apps)

    from signals.models import KillSwitch, KillSwitchChange, KillSwitchState  # noqa: PLC0415

    if (migrated := kwargs.get("apps")) and "killswitch" not in migrated.all_models["signals"]:
        return
    if not KillSwitchChange.objects.using(using).exists():
        KillSwitch.objects.using(using).create(
            state=KillSwitchState.ARMED, reason="Installed.", changed_by="migrate", changed_at=timezone.now()
        )

"""Settings of the selector's training: read, and changed with a record of who did it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from autopilot.models import BootstrapConfig
from autopilot.models.bootstrap_config import MOST_SYMBOLS
from signals.market.models import Instrument
from signals.services.actions import record_action


def get_bootstrap_config() -> BootstrapConfig:
    """The row, with the seed's defaults where nobody has changed anything yet."""
    return BootstrapConfig.objects.filter(pk=1).first() or BootstrapConfig()


def update_bootstrap_config(*, by: str, now: datetime, **changes: Any) -> BootstrapConfig:
    """Change some of days, timeframe, min_samples_per_strategy, symbols, sampling.

    Raises Django's ValidationError, whose `message_dict` names each field that is wrong; then nothing is changed.
    """
    with transaction.atomic():
        BootstrapConfig.objects.get_or_create(pk=1)
        config = BootstrapConfig.objects.select_for_update().get(pk=1)
        before = config.as_parameters()
        unknown = changes.keys() - before.keys()
        if unknown:
            raise ValidationError({name: ["There is no such setting."] for name in sorted(unknown)})
        for name, value in changes.items():
            setattr(config, name, value)
        _require_valid(config, changed=changes.keys())
        config.changed_by, config.changed_at = by, now
        config.save()
        record_action(
            actor=by,
            what="bootstrap_config.changed",
            target="autopilot",
            now=now,
            before=before,
            after=config.as_parameters(),
        )
    return config


def _require_valid(config: BootstrapConfig, *, changed: Collection[str]) -> None:
    """Symbols that stay are not looked up again: the seed's own may be no instruments here."""
    errors: dict[str, list[str]] = {}
    try:
        config.full_clean(validate_constraints=False)
    except ValidationError as error:
        errors = dict(error.message_dict)
    if "symbols" in changed and "symbols" not in errors:
        found = symbol_errors(config.symbols)
        errors |= {"symbols": found} if found else {}
    if errors:
        raise ValidationError(errors)


def symbol_errors(symbols: Sequence[str]) -> list[str]:
    if not 1 <= len(symbols) <= MOST_SYMBOLS:
        return [f"Name 1 to {MOST_SYMBOLS} symbols, not {len(symbols)}."]
    known = {plain for names in Instrument.objects.names() for plain in names}
    unknown = [symbol for symbol in symbols if Instrument.plain_name(symbol) not in known]
    return [f"No instrument is called {', '.join(unknown)}."] if unknown else []

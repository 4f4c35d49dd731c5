"""Settings of training: the seed's defaults, their bounds, and who changed them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from autopilot.models import BootstrapConfig
from autopilot.services.bootstrap_config import get_bootstrap_config, update_bootstrap_config
from signals.models import Action
from tests.factories import make_instrument

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def test_untouched_settings_are_the_seeds() -> None:
    assert get_bootstrap_config().as_parameters() == {
        "days": 90,
        "timeframe": "1h",
        "min_samples_per_strategy": 10,
        "symbols": ["BTC/USD", "ETH/USD"],
        "sampling": "full",
    }
    assert not BootstrapConfig.objects.exists()


def test_change_is_kept_and_on_record() -> None:
    make_instrument(symbol="BTC/USDT", aliases=["BTC/USD"])

    update_bootstrap_config(by="ada", now=NOW, days=30, symbols=["BTC-USD"], sampling="seed")

    kept = get_bootstrap_config()
    assert (kept.days, kept.symbols, kept.sampling, kept.timeframe) == (30, ["BTC-USD"], "seed", "1h")
    action = Action.objects.get(what="bootstrap_config.changed")
    assert (action.actor, action.before["days"], action.after["days"]) == ("ada", 90, 30)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("days", 6),
        ("days", 1_501),
        ("days", "many"),
        ("timeframe", "3h"),
        ("min_samples_per_strategy", 0),
        ("min_samples_per_strategy", 1_001),
        ("symbols", []),
        ("symbols", ["BTC/USDT"] * 201),
        ("symbols", ["NO/SUCH"]),
        ("sampling", "some"),
        ("colour", "red"),
    ],
)
def test_value_out_of_bounds_names_its_field_and_changes_nothing(field: str, value: Any) -> None:
    make_instrument(symbol="BTC/USDT")

    with pytest.raises(ValidationError) as told:
        update_bootstrap_config(by="ada", now=NOW, **{"symbols": ["BTC/USDT"], field: value})

    assert list(told.value.message_dict) == [field]
    assert not BootstrapConfig.objects.exists()

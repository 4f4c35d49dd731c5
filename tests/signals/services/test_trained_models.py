"""One champion per kind and scope; candidates, retired and altered models decide nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from signals.models import Action, ModelState, TrainedModel
from signals.services.trained_models import (
    ModelCorruptError,
    ModelStateError,
    champion,
    promote_model,
    register_model,
    reject_model,
    roll_back,
    verified_payload,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def register(now: datetime = NOW, **values: Any) -> TrainedModel:
    defaults = {
        "kind": "selector",
        "scope": "",
        "payload": b"tree\nversion=v4\n",
        "payload_format": "lightgbm-text",
        "feature_schema": ["atr", "rsi"],
        "data_from": NOW - 90 * 24 * HOUR,
        "data_to": NOW,
        "metrics": {"log_loss": 1.1},
        "reason": "weekly",
        "known_at": now,
        "now": now,
    }
    return register_model(**defaults | values)


def current(as_of: datetime) -> TrainedModel | None:
    return champion(kind="selector", scope="", as_of=as_of)


def test_a_candidate_decides_nothing_until_it_is_promoted() -> None:
    model = register()
    assert current(NOW + HOUR) is None

    promote_model(model=model, by="ada", now=NOW + HOUR)

    assert current(NOW + HOUR) == model
    assert current(NOW + HOUR / 2) is None
    assert verified_payload(model) == b"tree\nversion=v4\n"


def test_promotion_retires_the_champion_before_and_each_moment_knows_its_own() -> None:
    first, second = register(), register()
    promote_model(model=first, by="ada", now=NOW + HOUR)
    promote_model(model=second, by="ada", now=NOW + 2 * HOUR)

    assert current(NOW + 1.5 * HOUR) == first
    assert current(NOW + 2 * HOUR) == second
    first.refresh_from_db()
    assert first.state == ModelState.RETIRED


def test_scopes_have_champions_of_their_own() -> None:
    everywhere, one = register(), register(scope="binance:BTC/USDT:1h")
    for model in (everywhere, one):
        promote_model(model=model, by="ada", now=NOW)

    assert current(NOW) == everywhere
    assert champion(kind="selector", scope="binance:BTC/USDT:1h", as_of=NOW) == one


def test_rolling_back_returns_to_the_champion_before_and_never_to_the_one_left() -> None:
    first, second = register(), register()
    promote_model(model=first, by="ada", now=NOW + HOUR)
    promote_model(model=second, by="ada", now=NOW + 2 * HOUR)

    assert roll_back(kind="selector", scope="", by="ada", now=NOW + 3 * HOUR) == first
    assert current(NOW + 3 * HOUR) == first
    assert current(NOW + 2.5 * HOUR) == second
    with pytest.raises(ModelStateError, match="no earlier selector model"):
        roll_back(kind="selector", scope="", by="ada", now=NOW + 4 * HOUR)
    assert current(NOW + 4 * HOUR) == first  # what could not be done changed nothing


def test_a_rejected_model_is_not_promoted() -> None:
    model = register()
    reject_model(model=model, reason="no better than the majority", now=NOW)

    with pytest.raises(ModelStateError):
        promote_model(model=model, by="ada", now=NOW)


def test_an_altered_payload_is_neither_read_nor_promoted() -> None:
    model = register()
    TrainedModel.objects.filter(pk=model.pk).update(payload=b"tree\nversion=v5\n")
    model.refresh_from_db()

    with pytest.raises(ModelCorruptError, match="altered"):
        verified_payload(model)
    with pytest.raises(ModelCorruptError):
        promote_model(model=model, by="ada", now=NOW)


def test_the_database_refuses_a_second_champion() -> None:
    promote_model(model=register(), by="ada", now=NOW)
    other = register()

    with pytest.raises(IntegrityError, match="one_champion"), transaction.atomic():
        TrainedModel.objects.filter(pk=other.pk).update(state=ModelState.CHAMPION, promoted_at=NOW)


def test_every_step_is_an_action() -> None:
    first, second, third = register(), register(), register()
    promote_model(model=first, by="ada", now=NOW)
    promote_model(model=second, by="ada", now=NOW)
    reject_model(model=third, reason="worse", now=NOW)
    roll_back(kind="selector", scope="", by="bob", now=NOW)

    steps = list(Action.objects.order_by("id").values_list("what", "actor"))
    assert steps == [
        *[("model.registered", "system")] * 3,
        *[("model.promoted", "ada")] * 2,
        ("model.rejected", "system"),
        ("model.rolled_back", "bob"),
    ]

"""The champion's vote in the fused decision: by its weight, known at the close, and one switch takes it out."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin import site

from autopilot.services.champion import forget_loaded
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Evaluation, TrainedModel
from signals.services.evaluation import Known, evaluate, gather
from signals.services.trained_models import retire_champion
from tests.autopilot.selector_rows import NOW, make_selector
from tests.factories import make_instrument, make_series, merge_bars, store

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
LONG_TERM = make_series(bars=24 * 400 + 1, start=NOW - timedelta(days=400), seed=5)


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    forget_loaded()
    yield
    forget_loaded()


@pytest.fixture
def instrument() -> Instrument:
    """Candles until an hour after the champion's promotion."""
    made = make_instrument()
    for timeframe in (Timeframe.H4, Timeframe.D1):
        store(made, timeframe, merge_bars(LONG_TERM, timeframe))
    store(made, Timeframe.H1, LONG_TERM[-600:])
    return made


def champion_of(weight: float | None) -> TrainedModel:
    model = make_selector(proved=True, promoted=True)
    model.metrics |= {} if weight is None else {"vote_weight": weight}
    model.save(update_fields=["metrics"])
    return model


def heard(instrument: Instrument, as_of: datetime = NOW) -> Known:
    return gather(instrument=instrument, as_of=as_of, wait_for_partner=False)


def test_champion_votes_by_its_weight_once_it_was_known_and_until_it_is_retired(
    instrument: Instrument, settings: Any
) -> None:
    assert not heard(instrument).context.votes  # no model, no vote
    model = champion_of(0.4)

    known = heard(instrument)
    vote, said = known.context.votes["ml"], known.features
    assert len(vote) == len(known.windows[Timeframe.H1])
    assert vote[-1] != 0
    assert vote[-1] == pytest.approx(0.4 * said["selector_vote"], abs=1e-6)
    assert (said["selector_model"], said["selector_weight"]) == (model.pk, 0.4)
    assert not heard(instrument, NOW - HOUR).context.votes  # it was promoted later

    settings.SELECTOR_VOTES = False
    silent = heard(instrument)
    assert not silent.context.votes
    assert silent.features["selector_vote"] == said["selector_vote"]
    settings.SELECTOR_VOTES = True

    retire_champion(kind="selector", scope="", by="ada", now=NOW + HOUR / 2)
    assert "selector_vote" not in heard(instrument, NOW + HOUR).features
    assert (
        heard(instrument).features["selector_model"] == model.pk
    )  # who asks of then hears what was known then


@pytest.mark.parametrize("weight", [None, 0.0])
def test_without_a_measured_weight_it_is_a_shadow(instrument: Instrument, weight: float | None) -> None:
    champion_of(weight)
    known = heard(instrument)
    assert not known.context.votes
    assert known.features["selector_weight"] == 0
    assert -1 <= known.features["selector_vote"] <= 1


def test_evaluation_says_what_was_heard_and_the_console_shows_it(instrument: Instrument) -> None:
    champion_of(0.4)
    told = evaluate(instrument=instrument, candle_open_time=NOW - HOUR, as_of=NOW)
    assert told is not None
    said = told.features["selector_vote"]
    assert f"also heard: ml {0.4 * said:+.2f}" in told.reason
    shown = site.get_model_admin(Evaluation).shown_model_votes(told)  # type: ignore[attr-defined]
    assert shown == f"selector {said:+.2f} at weight 0.40"

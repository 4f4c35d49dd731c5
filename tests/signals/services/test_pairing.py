"""Partners are chosen once a day from what had closed, stored, and heard by the decisions that come after."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.hybrid import explain
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Exchange, Instrument
from signals.models import Evaluation, PartnerChoice
from signals.receivers import evaluate_closed_candle
from signals.selectors import waiting_for_partner
from signals.services.evaluation import evaluate, judge, load_windows
from signals.services.pairing import chosen_partner, refresh_partners
from tests.factories import make_instrument, make_series, merge_bars, store, tail

pytestmark = pytest.mark.django_db

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BARS = 24 * 340
AS_OF = START + BARS * HOUR
SERIES = make_series(bars=BARS, start=START, seed=4)


def beside(series: OHLCV, seed: int) -> OHLCV:
    """A market that moves with `series` and a little on its own."""
    drift = np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.003, len(series))))
    prices = (getattr(series, name) * drift for name in ("open", "high", "low", "close"))
    return OHLCV(series.open_time, *prices, series.volume)


PARTNER = beside(SERIES, 5)


def traded(series: OHLCV, **values: object) -> Instrument:
    instrument = make_instrument(**values)
    store(instrument, Timeframe.H1, tail(series, 2_400))
    return instrument


@pytest.fixture
def pair() -> tuple[Instrument, Instrument]:
    """Two that move together; the first has everything that a decision needs."""
    own, partner = traded(SERIES), traded(PARTNER)
    for timeframe in (Timeframe.H4, Timeframe.D1):
        store(own, timeframe, merge_bars(SERIES, timeframe))
    return own, partner


def refresh(as_of: datetime = AS_OF) -> int:
    return refresh_partners(exchange_code="binance", as_of=as_of, now=as_of)


def test_of_all_that_could_be_traded_beside_it_the_one_that_moves_with_it_is_stored(
    pair: tuple[Instrument, Instrument],
) -> None:
    own, partner = pair
    alone = traded(make_series(bars=BARS, start=START, seed=9))
    elsewhere = Exchange.objects.create(code="kraken", name="Kraken")
    for values in ({"quote": "EUR"}, {"exchange": elsewhere}, {"is_active": False}):
        traded(SERIES, **values)

    assert refresh() == 4  # the one in EUR has a choice too: nobody

    assert chosen_partner(instrument=own, as_of=AS_OF) == partner
    assert chosen_partner(instrument=partner, as_of=AS_OF) == own
    assert chosen_partner(instrument=alone, as_of=AS_OF) is None
    assert PartnerChoice.objects.get(instrument=alone).partner is None
    returns = np.diff(np.log(np.column_stack((SERIES.close, PARTNER.close))[-2_161:]), axis=0)
    expected = np.corrcoef(returns.T)[0, 1]
    assert PartnerChoice.objects.get(instrument=own).correlation == pytest.approx(expected)


def test_a_choice_is_made_once_a_day_and_unknown_before_it_was_made(
    pair: tuple[Instrument, Instrument],
) -> None:
    made_at = AS_OF - 2 * DAY + timedelta(minutes=7)
    assert refresh(made_at) == 2
    assert refresh(made_at + HOUR) == 0
    assert chosen_partner(instrument=pair[0], as_of=AS_OF - 2 * DAY) is None
    assert chosen_partner(instrument=pair[0], as_of=AS_OF - 2 * DAY + HOUR) == pair[1]
    assert refresh(made_at + DAY) == 2
    assert PartnerChoice.objects.filter(fitted_through=AS_OF - DAY).count() == 2


def test_a_choice_reads_no_candle_that_had_not_closed(pair: tuple[Instrument, Instrument]) -> None:
    refresh(AS_OF - DAY)
    before = PartnerChoice.objects.get(instrument=pair[0]).correlation
    PartnerChoice.objects.all().delete()
    Candle.objects.filter(open_time__gte=AS_OF - DAY).update(close=1.0, low=0.5)
    refresh(AS_OF - DAY)
    assert PartnerChoice.objects.get(instrument=pair[0]).correlation == before


def test_who_lacks_the_newest_candle_neither_chooses_nor_is_chosen(
    pair: tuple[Instrument, Instrument],
) -> None:
    own, partner = pair
    Candle.objects.filter(instrument=partner, open_time=AS_OF - HOUR).delete()
    assert refresh() == 1
    assert PartnerChoice.objects.get().instrument == own
    assert PartnerChoice.objects.get().partner is None
    Candle.objects.all().delete()
    assert refresh(AS_OF + 2 * DAY) == 0


def test_a_partner_that_is_no_longer_traded_or_chosen_long_ago_is_none(
    pair: tuple[Instrument, Instrument],
) -> None:
    refresh()
    assert chosen_partner(instrument=pair[0], as_of=AS_OF + 7 * DAY) == pair[1]
    assert chosen_partner(instrument=pair[0], as_of=AS_OF + 7 * DAY + HOUR) is None
    Instrument.objects.filter(pk=pair[1].pk).update(is_active=False)
    assert chosen_partner(instrument=pair[0], as_of=AS_OF) is None


def test_a_decision_hears_the_partner_as_of_the_same_close(pair: tuple[Instrument, Instrument]) -> None:
    own, _ = pair
    as_of = AS_OF - 10 * DAY
    lonely = judge(instrument=own, as_of=as_of)
    refresh(as_of)
    Candle.objects.filter(open_time__gte=as_of).update(close=1.0, low=0.5)

    decision = judge(instrument=own, as_of=as_of)

    closed = int((PARTNER.open_time < int(as_of.timestamp() * 1000)).sum())
    windows = load_windows(instrument_id=own.pk, as_of=as_of)
    expected = explain(windows, DecisionContext(as_of=as_of, partner=PARTNER[closed - 500 : closed]))
    assert (decision.votes, decision.score) == (expected.votes, expected.score)
    assert decision.features["partner"] == pair[1].symbol
    missing = "1h: pairs_trading: input missing: no candles of a paired instrument"
    assert missing in lonely.abstentions
    assert missing not in decision.abstentions


def test_an_evaluation_waits_a_minute_for_the_partners_candle_which_wakes_it(
    pair: tuple[Instrument, Instrument], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, partner = pair
    refresh(AS_OF - DAY)
    late = Candle.objects.get(instrument=partner, open_time=AS_OF - HOUR)
    Candle.objects.filter(instrument=partner, open_time=AS_OF - HOUR).delete()
    asked = {"instrument": own, "candle_open_time": AS_OF - HOUR}

    assert evaluate(**asked, as_of=AS_OF + timedelta(seconds=59)) is None
    assert waiting_for_partner(partner_id=partner.pk, open_time=AS_OF - HOUR) == [own.pk]

    woken: list[int] = []
    monkeypatch.setattr(
        "signals.receivers.wake_up", lambda task, instrument_id, *rest: woken.append(instrument_id)
    )
    Candle.objects.bulk_create([late])
    evaluate_closed_candle(
        instrument_id=partner.pk, timeframe=Timeframe.H1, open_times=[AS_OF - HOUR], as_of=AS_OF
    )
    assert woken == [partner.pk, own.pk]
    assert evaluate(**asked, as_of=AS_OF + timedelta(seconds=59)) == Evaluation.objects.get()
    assert waiting_for_partner(partner_id=partner.pk, open_time=AS_OF - HOUR) == []


def test_after_a_minute_it_is_judged_without_the_partner(pair: tuple[Instrument, Instrument]) -> None:
    own, partner = pair
    refresh(AS_OF - DAY)
    Candle.objects.filter(instrument=partner, open_time=AS_OF - HOUR).delete()

    evaluation = evaluate(instrument=own, candle_open_time=AS_OF - HOUR, as_of=AS_OF + timedelta(minutes=1))

    assert evaluation is not None
    assert evaluation.outcome != "refused"

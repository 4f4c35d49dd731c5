"""What a subscriber reads, and that its arithmetic can be checked by hand."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import pytest
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_project.sandbox.telegram.html import parse_html
from notifications.models import Answer
from notifications.services.message.buttons import feedback_buttons, pressed_button
from notifications.services.message.compose import LONGEST_CAPTION, LONGEST_MESSAGE
from notifications.services.message.facts import Draft, Facts, OutcomeFacts, Recipient, SignalFacts, names_of
from notifications.services.message.outcome_text import outcome_text
from notifications.services.message.prices import level_labels, price_decimals
from notifications.services.message.signal_text import signal_text
from notifications.services.message.words import cut, one_line, utf16_length, visible_length
from signals.engine.horizon import out_by

SIGNAL = SignalFacts(
    signal_id=uuid4(),
    direction="long",
    timeframe="1h",
    confidence=0.62,
    entry_price=67123.456,
    stop_loss=66000.0,
    take_profit=69000.0,
    plan=None,
    evidence="",
    probability=None,
    probability_n=None,
    probability_low=None,
    probability_high=None,
    reasons=["RSI left oversold <30 & turned up", "b", "c", "d"],
    sessions=["london", "new_york"],
    experimental=False,
    candle_open_time=datetime(2026, 5, 4, 11, tzinfo=UTC),
    published_at=datetime(2026, 5, 4, 12, 0, 20, tzinfo=UTC),
    enter_until=datetime(2026, 5, 4, 16, 30, tzinfo=UTC),
    symbol="BTC/USDT",
    base="BTC",
    quote="USDT",
    exchange="Binance",
    is_simulated=False,
    asset_class="crypto",
    market_type="spot",
    maker_bps=None,
    taker_bps=None,
    slippage_bps=None,
    tick_size=None,
    lot_step=None,
    minimum_amount=None,
    minimum_notional=None,
    record_ended=132,
    record_won=41,
    record_mean_r=-0.034,
    raised_stop=None,
)
RECIPIENT = Recipient(
    chat_id=1,
    language="en",
    capital=Decimal("10000.00"),
    capital_currency="USD",
    risk_fraction=Decimal("0.0100"),
    delay_seconds=0,
    open_longs=0,
    open_shorts=0,
)
TARGET_REACHED = OutcomeFacts(
    exit_reason="target",
    paid_price=67130.2,
    exit_price=69000.0,
    return_ratio=0.0259,
    r_multiple=1.55,
    bars_held=7,
    is_ambiguous=False,
)


def drafted(**changes: Any) -> Draft:
    """A signal that ended at its target, with any of its facts changed."""

    def of(facts: Facts) -> dict[str, Any]:
        return {name: changes.pop(name) for name in names_of(facts) if name in changes}

    return Draft(
        "signal",
        uuid4(),
        replace(SIGNAL, **of(SignalFacts)),
        replace(RECIPIENT, **of(Recipient)),
        replace(TARGET_REACHED, **of(OutcomeFacts)),
        **({"age_seconds": 3.0} | changes),
    )


def ended_text(draft: Draft, *, html: bool) -> str:
    assert draft.outcome is not None
    return outcome_text(draft, draft.outcome, html=html)


def read(told: Draft) -> str:
    return parse_html(signal_text(told, html=True))[0]


def test_message_says_everything_that_a_decision_needs() -> None:
    text = read(drafted())
    for words in (
        "LONG BTC/USDT",
        "67123.46",
        "66000.00 (-1.67 %)",
        "69000.00 (+2.80 %)",
        "Risk 1,123.46, reward 1,876.54: 1.67 times the risk",
        "Enter until 2026-05-04 16:30 UTC; out by 2026-05-05 12:00 UTC at the latest",
        "Record: 41 of the last 132 signals made money (31 %), -0.03 R on average after costs",
        "Score 62 of 100",
        "RSI left oversold <30 & turned up",
        "London, New York",
        "2026-05-04 16:30 UTC",
        "Not financial advice",
    ):
        assert words in text
    assert "• d" not in text


def test_message_speaks_german_with_the_same_numbers() -> None:
    english = read(drafted())
    with override("de"):
        german = read(drafted())
    assert "Deine Größe" in german
    assert "Keine Anlageberatung" in german
    assert re.findall(r"\d[\d.,]*", german) == re.findall(r"\d[\d.,]*", english)
    assert read(drafted()) == english, "each language keeps its own words"


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


@pytest.mark.parametrize("html", [True, False])
def test_size_can_be_worked_out_again_from_the_numbers_shown(html: bool) -> None:
    text = read(drafted()) if html else signal_text(drafted(), html=False)
    amount = r"([\d.,]+)"
    first = re.search(rf"{amount} × {amount} % = {amount} USDT at risk", text)
    second = re.search(rf"{amount} / {amount} = {amount} BTC", text)
    size = re.search(rf"Your size: {amount} BTC, worth {amount} USDT\n", text)
    assert first
    assert second
    assert size
    capital, percent, at_risk = map(number, first.groups())
    assert (capital, percent, at_risk) == (10_000, 1, capital * percent / 100)
    assert (number(second[1]), number(second[2])) == (at_risk, Decimal("67123.46") - 66000)
    assert number(second[3]) == pytest.approx(at_risk / number(second[2]), rel=Decimal("1e-5"))
    assert number(size[1]) == number(second[3])
    assert number(size[2]) == pytest.approx(number(size[1]) * Decimal("67123.46"), rel=Decimal("1e-5"))


@pytest.mark.parametrize("html", [True, False])
def test_size_keeps_to_the_exchanges_steps_and_says_so(html: bool) -> None:
    """As the database gives them, with zeros; 100 / 1123.46 = 0.0890107."""
    told = drafted(lot_step=Decimal("0.000500000000000000"), minimum_amount=Decimal("0.0005"))
    text = read(told) if html else signal_text(told, html=False)

    assert "Your size: 0.089 BTC, worth 5,973.99 USDT\n" in text
    assert "At the stop you lose 114.21 USDT, 14.22 of it fees and slippage" in text
    assert "= 0.0890107 BTC, in steps of 0.0005\n" in text


def test_size_in_steps_is_not_rounded_up_to_what_is_shown() -> None:
    """In six significant digits it would be 2,500,070: more than was asked for, and no multiple of the step."""
    told = drafted(
        symbol="X/USDT",
        base="X",
        entry_price=0.02,
        stop_loss=0.01,
        take_profit=0.04,
        capital=Decimal("2500067.50"),
        lot_step=Decimal("0.5"),
    )
    assert "Your size: 2,500,067.5 X" in read(told)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"minimum_amount": Decimal("0.09")}, "0.08901073 is below the exchange's minimum of 0.09"),
        ({"minimum_notional": Decimal("6000.00")}, "below the exchange's minimum of 6000"),
        ({"lot_step": Decimal("0.1")}, "the risk does not buy a single step of the exchange"),
    ],
)
def test_size_that_the_exchange_would_refuse_is_refused_here(rule: dict[str, Decimal], said: str) -> None:
    text = read(drafted(**rule))
    assert "No size: " in text
    assert said in text


@pytest.mark.parametrize(
    ("own", "costs"),
    [
        # 0.0890107 BTC x (67,123.46 + 66,000): 12 bps of taker fee and slippage on spot, 7 on perpetuals.
        ({}, "114.22 USDT, 14.22 of it"),
        ({"market_type": "perpetual"}, "108.29 USDT, 8.29 of it"),
        ({"taker_bps": Decimal(0), "slippage_bps": Decimal(0)}, "100.00 USDT, 0.00 of it"),
    ],
)
@pytest.mark.parametrize("html", [True, False])
def test_risk_that_is_shown_includes_the_instruments_costs(
    own: dict[str, Any], costs: str, html: bool
) -> None:
    assert f"At the stop you lose {costs} fees and slippage" in signal_text(drafted(**own), html=html)


def test_reward_is_also_told_after_costs() -> None:
    """(1,876.54 - 163.35) / (1,123.46 + 159.75) by hand."""
    assert "1.67 times the risk (1.34 after costs)" in read(drafted())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"delay_seconds": 900, "age_seconds": 905.0}, "15 min ago, when the price was 67123.46"),
        ({"age_seconds": 7_500.0}, "Published 2026-05-04 12:00 UTC, 2 h 5 min ago"),
        ({"age_seconds": 60.0}, ""),
    ],
)
@pytest.mark.parametrize("html", [True, False])
def test_a_late_message_says_of_when_its_prices_are(change: dict[str, Any], said: str, html: bool) -> None:
    told = drafted(**change)
    text = read(told) if html else signal_text(told, html=False)
    assert said in text
    assert ("Published" in text) is bool(said)


@pytest.mark.parametrize("html", [True, False])
def test_what_is_at_risk_at_once_is_told_with_the_other_open_signals(html: bool) -> None:
    told = drafted(open_longs=0, open_shorts=2)
    text = read(told) if html else signal_text(told, html=False)
    assert "with your 2 other open signals (2 short): 3 % of your capital" in text
    assert "At risk at once" not in signal_text(drafted(), html=html)


def test_without_a_record_none_is_made_up() -> None:
    text = read(drafted(record_ended=0, record_won=0, record_mean_r=0.0))
    assert "Record: none yet" in text
    assert "made money" not in text


@pytest.mark.parametrize(
    ("published_at", "words"),
    [
        ("2026-05-04T12:04:59+00:00", "2026-05-05 12:00 UTC"),
        ("2026-05-04T12:05:01+00:00", "2026-05-05 13:00 UTC"),  # nobody could enter at 12:00 any more
        ("2026-05-04T13:00:00+00:00", "2026-05-05 13:00 UTC"),
    ],
)
def test_last_moment_is_reckoned_from_the_opening_at_which_it_is_entered(
    published_at: str, words: str
) -> None:
    text = read(drafted(published_at=datetime.fromisoformat(published_at)))
    assert f"out by {words} at the latest" in text


@pytest.mark.parametrize(("risk", "said"), [("0.01", False), ("0.0167", False), ("0.0168", True)])
def test_size_worth_more_than_the_capital_says_so(risk: str, said: bool) -> None:
    """The stop is 1.674 % away: from that risk on, the capital does not pay for the size."""
    assert ("more than your capital" in read(drafted(risk_fraction=Decimal(risk)))) is said


def test_amounts_below_one_keep_their_significant_digits() -> None:
    text = read(
        drafted(quote="BTC", capital_currency="BTC", capital=Decimal("0.25"), risk_fraction=Decimal("0.0123"))
    )
    assert "0.25 × 1.23 % = 0.003075 BTC at risk" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"is_repeat": True}, "(repeat)"),
        ({"is_simulated": True}, "Simulated market"),
        ({"experimental": True}, "Experimental signal"),
        ({"capital": Decimal(0)}, "No size"),
        ({"sessions": []}, "none open"),
    ],
)
@pytest.mark.parametrize("html", [True, False])
def test_what_is_special_is_said_and_otherwise_not(change: dict[str, object], words: str, html: bool) -> None:
    assert words in signal_text(drafted(**change), html=html)
    assert words not in signal_text(drafted(), html=html)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "Target reached: LONG BTC/USDT · 1h · Binance"),
        ({}, "+1.55 R (+2.59 %), after fees and slippage"),
        ({}, "Entered at 67130.20, left at 69000.00 7 bars later"),
        ({}, "your own fills will differ"),
        ({"exit_reason": "stop", "r_multiple": -1.07}, "Stopped: LONG BTC/USDT"),
        ({"r_multiple": -1.07, "return_ratio": -0.0535}, "-1.07 R (-5.35 %)"),
        ({"exit_reason": "expiry", "direction": "short"}, "Time is up: SHORT BTC/USDT"),
        ({"is_ambiguous": True}, "it counts as stopped"),
        ({"bars_held": 1}, " 1 bar later"),
        ({"bars_held": 0}, "within the same bar"),
        ({"is_simulated": True}, "Simulated market"),
        ({"is_repeat": True}, "(repeat)"),
    ],
)
def test_follow_up_says_how_it_ended(change: dict[str, object], words: str) -> None:
    ended = drafted(**change)
    assert words in ended_text(ended, html=False)
    assert words in read_strictly(ended_text(ended, html=True)).replace("Result  ", "Result ")


@pytest.mark.parametrize(
    ("price", "decimals"), [(67123.456, 2), (1.0, 4), (0.5, 5), (0.000012345678, 9), (999999.0, 2)]
)
def test_prices_show_five_significant_digits_and_two_decimals_at_least(price: float, decimals: int) -> None:
    assert price_decimals(price) == decimals


@pytest.mark.parametrize(
    ("tick_size", "prices", "labels"),
    [
        # As the database gives ticks, with zeros.
        ("0.010000000000000000", (67123.456, 66000.004, 69000.0), ("67123.46", "66000.00", "69000.00")),
        ("0.000100000000000000", (0.451234, 0.43999, 0.48), ("0.4512", "0.4400", "0.4800")),
        ("0.250000000000000000", (4512.30, 4500.13, 4540.0), ("4512.25", "4500.25", "4540.00")),
        (
            "0.000000010000000000",
            (0.0000123456, 0.000011, 0.000015),
            ("0.00001235", "0.00001100", "0.00001500"),
        ),
        ("10.000000000000000000", (3944.9, 3906.0, 4001.0), ("3940", "3910", "4000")),
        (None, (0.451234, 0.43999, 0.48), ("0.45123", "0.43999", "0.48000")),
        ("1.000000000000000000", (0.6, 0.5, 0.9), ("0.60000", "0.50000", "0.90000")),  # cannot be the tick
    ],
)
def test_prices_are_ticks_of_the_exchange(
    tick_size: str | None, prices: tuple[float, float, float], labels: tuple[str, str, str]
) -> None:
    entry, stop, target = prices
    told = drafted(
        entry_price=entry,
        stop_loss=stop,
        take_profit=target,
        tick_size=Decimal(tick_size) if tick_size else None,
    )
    assert level_labels(told.signal, told.signal.tick_size) == labels
    assert all(f"{label} " in signal_text(told, html=False) for label in labels[1:])


class Reader(HTMLParser):
    """A second opinion beside the sandbox's parser: the standard library's, strict about everything."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("b", "i", "code")
        assert not attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        assert not set("<>&") & set(data)
        self.text += data

    def handle_entityref(self, name: str) -> None:
        self.text += {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}[name]

    def handle_charref(self, name: str) -> None:
        assert name == "x27"
        self.text += "'"


def read_strictly(html: str) -> str:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader.text


words = st.one_of(
    st.text(max_size=400),
    st.text("<>&\"';/b1𝕏😀é\n ", max_size=400),
    st.just("</b>&lt;<i>"),
    st.just("😀" * 999),
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    reasons=st.lists(words, max_size=4),
    names=st.tuples(words, words, words, words),
    entry=st.floats(1e-9, 1e7),
    spread=st.floats(1e-9, 0.9),
    capital=st.decimals(0, 10**13, places=2),
    is_repeat=st.booleans(),
)
def test_any_signal_is_html_that_telegram_reads_within_its_limit(
    reasons: list[str],
    names: tuple[str, str, str, str],
    entry: float,
    spread: float,
    capital: Decimal,
    is_repeat: bool,
) -> None:
    told = drafted(
        **dict(zip(("symbol", "base", "quote", "exchange"), names, strict=True)),
        reasons=reasons,
        entry_price=entry,
        stop_loss=entry * (1 - spread),
        take_profit=entry * (1 + spread),
        capital=capital,
        is_repeat=is_repeat,
    )
    html = signal_text(told, html=True)
    text = read_strictly(html)
    assert text == read(told)
    assert visible_length(html) == utf16_length(text) <= LONGEST_MESSAGE
    assert text.encode("utf-16").decode("utf-16") == text
    for reason in reasons[:3]:
        assert f"• {one_line(reason, 300)}".rstrip() in text.split("\n")
    assert f" {one_line(names[0], 40)} · 1h · {one_line(names[3], 40)}".rstrip() in text
    assert 0 < utf16_length(signal_text(told, html=False)) <= LONGEST_MESSAGE
    ended = told
    assert read_strictly(ended_text(ended, html=True)).count(one_line(names[0], 40)) >= 1


@pytest.mark.parametrize("direction", ["long", "short"])
def test_usual_signal_fits_under_a_picture(direction: str) -> None:
    """Three reasons as the engine words them, the longest flags, a price with many digits."""
    told = drafted(
        direction=direction,
        exchange="Binance",
        is_simulated=True,
        experimental=True,
        reasons=[
            "4h, 2 bars ago: EMA 10 crossed above EMA 30, 0.42 ATR apart: the trend turned up",
            "1h: RSI 31 is back above 30 after 22: oversold",
            "1d, 5 bars ago: close 1.8 ATR above the 20-bar channel on 1.9 times the usual volume",
        ],
    )
    assert visible_length(signal_text(told, html=True)) <= LONGEST_CAPTION


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\n\nEntry  5", "a Entry 5"), ("x\x00\u202ey\u2028z", "x y z"), (" é😀 ", "é😀")],
)
def test_one_line_cannot_pretend_to_be_another_or_turn_the_writing_round(text: str, line: str) -> None:
    assert one_line(text, 300) == line


@given(text=st.text(), longest=st.integers(1, 50))
def test_cut_text_keeps_the_limit_and_whole_characters(text: str, longest: int) -> None:
    shown = cut(text, longest)
    assert utf16_length(shown) <= longest
    assert text.startswith(shown.removesuffix("…")) or shown == text


def test_button_names_the_delivery_within_telegrams_64_bytes() -> None:
    delivery_id = uuid4()
    buttons = feedback_buttons(delivery_id)
    assert [pressed_button(button.data) for button in buttons] == [
        (delivery_id, Answer.ACTED),
        (delivery_id, Answer.IGNORED),
    ]
    assert all(len(button.data.encode()) <= 64 for button in buttons)


@pytest.mark.parametrize("data", ["", "fa:", "fa:zz", "xx:" + "0" * 32, "fa:" + "0" * 33, "fa:" + "A" * 32])
def test_foreign_button_data_is_nothing(data: str) -> None:
    assert pressed_button(data) is None


def test_prices_below_a_millionth_are_written_out() -> None:
    """An exchange refuses 1.23E-8 when it is pasted."""
    coin = drafted(
        symbol="PEPE/BTC",
        base="PEPE",
        quote="BTC",
        capital_currency="BTC",
        entry_price=1.234e-8,
        stop_loss=1.2e-8,
        take_profit=1.3e-8,
        tick_size=Decimal("0.000000000100000000"),
        lot_step=Decimal(1),
        capital=Decimal("0.25"),
    )
    for text in (read(coin), signal_text(coin, html=False)):
        assert "0.0000000123" in text
        assert "0.0000000120" in text
        assert not re.search(r"\dE-\d", text)
    ended = drafted(
        entry_price=4.56e-7, stop_loss=4.4e-7, take_profit=4.9e-7, paid_price=4.561e-7, exit_price=4.9e-7
    )
    assert "0.0000004561" in ended_text(ended, html=False)


@pytest.mark.parametrize("html", [True, False])
def test_a_managed_exit_is_told_in_words_and_figures_with_what_the_gate_said(html: bool) -> None:
    plan = {"kind": "managed", "stop": 66000.0, "target": None, "trail_atr": 4.0, "longest_hold_bars": 120}
    told = drafted(
        take_profit=None,
        timeframe="4h",
        plan=plan,
        evidence="promising, not proven: mean +0.45 R [-0.02, +0.92], n 216",
    )
    text = signal_text(told, html=html)
    rule = "stop 1.7 % below; it follows the highest 4h close at 4 average ranges; out after 20 days at the latest"
    assert f"No target: {rule}" in text
    assert "Evidence" in text
    assert "promising, not proven: mean +0.45 R [-0.02, +0.92], n 216" in text
    assert "reward" not in text
    assert "Target" not in text
    last = out_by(
        candle_open_time=told.signal.candle_open_time,
        period=timedelta(hours=4),
        published_at=told.signal.published_at,
        hold_bars=120,
    )
    assert f"{last:%Y-%m-%d %H:%M} UTC" in text


@pytest.mark.parametrize("html", [True, False])
def test_a_score_is_a_chance_only_where_outcomes_bear_it_out(html: bool) -> None:
    assert "for ranking only, not a chance of profit. It is uncalibrated." in signal_text(
        drafted(), html=html
    )
    known = drafted(probability=0.47, probability_n=120, probability_low=0.38, probability_high=0.56)
    text = signal_text(known, html=html)
    assert "Chance of profit after costs: 47 % (38 to 56 %, from 120 outcomes)." in text
    assert "Score" not in text


def test_a_stop_that_the_tick_puts_on_the_entry_is_named_as_the_reason_for_no_size() -> None:
    coin = drafted(
        entry_price=1.2e-7, stop_loss=1.164e-7, take_profit=1.255e-7, tick_size=Decimal("0.00000001")
    )
    for text in (read(coin), signal_text(coin, html=False)):
        assert "No size: the stop is nearer than one step of the price." in text
        assert "is zero" not in text


@pytest.mark.parametrize(
    ("currency", "quote", "is_sized"),
    [
        ("USD", "USDT", True),
        ("USDC", "usd", True),
        ("BTC", "BTC", True),
        ("USD", "BTC", False),
        ("EUR", "USD", False),
    ],
)
def test_capital_is_counted_in_its_own_currency_only(currency: str, quote: str, is_sized: bool) -> None:
    """10,000 dollars were taken for 10,000 bitcoin."""
    for text in (read(it := drafted(quote=quote, capital_currency=currency)), signal_text(it, html=False)):
        assert ("Your size" in text) is is_sized
        assert (
            f"No size: your capital is in {currency}, and this is priced in {quote}." in text
        ) is not is_sized

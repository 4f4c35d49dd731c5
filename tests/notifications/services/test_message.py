"""What a subscriber reads, and that its arithmetic can be checked by hand."""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_project.sandbox.telegram_html import parse_html
from notifications.models import Answer
from notifications.services.message import (
    LONGEST_MESSAGE,
    cut,
    feedback_buttons,
    pressed_button,
    price_decimals,
    signal_text,
    utf16_length,
)


@dataclass(frozen=True)
class Told:
    """A signal as a claimed row would describe it."""

    direction: str = "long"
    symbol: str = "BTC/USDT"
    base: str = "BTC"
    quote: str = "USDT"
    exchange: str = "Binance"
    is_simulated: bool = False
    timeframe: str = "1h"
    confidence: float = 0.62
    entry_price: float = 67123.456
    stop_loss: float = 66000.0
    take_profit: float = 69000.0
    reasons: list[str] = field(default_factory=lambda: ["RSI left oversold <30 & turned up", "b", "c", "d"])
    sessions: list[str] = field(default_factory=lambda: ["london", "new_york"])
    experimental: bool = False
    expires_at: datetime = datetime(2026, 5, 4, 16, 30, tzinfo=UTC)
    capital: Decimal = Decimal("10000.00")
    risk_fraction: Decimal = Decimal("0.0100")
    is_repeat: bool = False


def read(told: Told) -> str:
    return parse_html(signal_text(told, html=True))[0]


def test_message_says_everything_that_a_decision_needs() -> None:
    text = read(Told())
    for words in (
        "LONG BTC/USDT",
        "67,123.46",
        "66,000.00 (-1.67 %)",
        "69,000.00 (+2.80 %)",
        "Reward/risk  1.67",
        "62 %, uncalibrated",
        "RSI left oversold <30 & turned up",
        "London, New York",
        "2026-05-04 16:30 UTC",
        "Not financial advice",
    ):
        assert words in text
    assert "• d" not in text


def test_size_loses_the_stated_amount_at_the_stop() -> None:
    text = read(Told())
    quantity = Decimal(re.search(r"Your size: ([\d.,]+) BTC", text)[1].replace(",", ""))  # type: ignore[index]
    assert quantity * (Decimal("67123.46") - 66000) == pytest.approx(Decimal(100), rel=Decimal("1e-5"))
    assert "losing 100.00 USDT (1 %)" in text


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
    assert words in signal_text(replace(Told(), **change), html=html)  # type: ignore[arg-type]
    assert words not in signal_text(Told(), html=html)


@pytest.mark.parametrize(
    ("price", "decimals"), [(67123.456, 2), (1.0, 4), (0.5, 5), (0.000012345678, 9), (999999.0, 2)]
)
def test_prices_show_five_significant_digits_and_two_decimals_at_least(price: float, decimals: int) -> None:
    assert price_decimals(price) == decimals


@settings(max_examples=100, deadline=None)
@given(
    reasons=st.lists(st.text(max_size=300), max_size=4),
    entry=st.floats(1e-9, 1e7),
    spread=st.floats(1e-9, 0.9),
    capital=st.decimals(0, 10**13, places=2),
)
def test_any_signal_is_html_that_telegram_reads_within_its_limit(
    reasons: list[str], entry: float, spread: float, capital: Decimal
) -> None:
    told = Told(
        reasons=reasons,
        entry_price=entry,
        stop_loss=entry * (1 - spread),
        take_profit=entry * (1 + spread),
        capital=capital,
    )
    assert 0 < utf16_length(read(told)) <= LONGEST_MESSAGE
    assert 0 < utf16_length(signal_text(told, html=False)) <= LONGEST_MESSAGE


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

"""A signal's picture: drawn once, uploaded once, waited for a little, and never a reason not to be told."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.utils import timezone
from PIL import Image

from notifications import receivers, tasks
from notifications.models import Delivery, SignalPicture
from notifications.services import pictures
from notifications.services.fan_out import fan_out
from signals.engine.timeframe import Timeframe
from signals.models import Signal
from tests.factories import make_instrument, make_series, merge_bars, store
from tests.notifications.rows import (
    Controls,
    make_signal,
    make_subscriber,
    make_tier,
    send_until,
)

pytestmark = pytest.mark.django_db(transaction=True)


def drawable(**values: Any) -> Signal:
    """A signal with stored candles up to its own, decided on the daily ones."""
    instrument = make_instrument()
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=10)
    series = make_series(bars=240, start=start)
    store(instrument, Timeframe.H1, series)
    store(instrument, Timeframe.D1, merge_bars(series, Timeframe.D1))
    return make_signal(
        instrument=instrument,
        candle_open_time=start + timedelta(hours=239),
        reasons=["1d, 1 bar ago: RSI 31 is back above 30"],
        **values,
    )


def with_picture(signal: Signal) -> SignalPicture:
    pictures.request_picture(signal=signal)
    tasks.draw_picture(signal.pk)
    return SignalPicture.objects.get()


def people(telegram: Controls, number: int) -> None:
    tier = make_tier(max_sessions=None)
    telegram.open_chats(*(make_subscriber(tier=tier) for _ in range(number)))


def test_picture_is_drawn_once_from_stored_candles() -> None:
    picture = with_picture(drawable())
    assert Image.open(BytesIO(bytes(picture.png))).size == (1080, 1080)
    assert picture.drawn_at
    tasks.draw_picture(picture.signal_id)
    picture.refresh_from_db()
    assert picture.attempts == 1


def test_first_upload_gives_the_name_by_which_all_others_are_sent(telegram: Controls) -> None:
    signal = drawable()
    picture = with_picture(signal)
    people(telegram, 4)
    fan_out(signal=signal)
    others = Delivery.objects.exclude(pk=Delivery.objects.earliest("pk").pk)
    others.update(next_attempt_at=timezone.now() + timedelta(hours=1))
    send_until(telegram.url, "SELECT EXISTS (SELECT FROM notifications_delivery WHERE state = 'sent')")
    picture.refresh_from_db()
    (first,) = telegram.sent()
    assert first["method"] == "sendPhoto"
    assert first["message"]["photo"][0]["file_id"] == picture.file_id != ""
    assert "Not financial advice" in first["text"]
    assert len(first["reply_markup"]["inline_keyboard"][0]) == 2
    SignalPicture.objects.update(png=b"not what is sent again")
    others.update(next_attempt_at=timezone.now())
    send_until(telegram.url)
    assert {sent["message"]["photo"][0]["file_id"] for sent in telegram.sent()} == {picture.file_id}
    assert len(telegram.sent()) == 4


def test_of_several_sent_at_once_one_uploads_the_picture(telegram: Controls) -> None:
    signal = drawable()
    picture = with_picture(signal)
    people(telegram, 8)
    fan_out(signal=signal)
    send_until(telegram.url, in_flight=8)
    picture.refresh_from_db()
    assert [sent["message"]["photo"][0]["file_id"] for sent in telegram.sent()] == [picture.file_id] * 8


def test_upload_of_unknown_fate_does_not_keep_the_others_waiting(telegram: Controls) -> None:
    signal = drawable()
    with_picture(signal)
    people(telegram, 4)
    fan_out(signal=signal)
    telegram.fault("500", method="sendPhoto")
    send_until(telegram.url, in_flight=4)
    assert sorted(Delivery.objects.values_list("state", "is_repeat")) == [("sent", False)] * 3 + [
        ("sent", True)
    ]
    assert {sent["method"] for sent in telegram.sent()} == {"sendPhoto"}


def test_name_that_telegram_forgot_is_uploaded_again(telegram: Controls) -> None:
    signal = drawable()
    with_picture(signal)
    SignalPicture.objects.update(file_id="forgotten")
    people(telegram, 1)
    fan_out(signal=signal)
    send_until(telegram.url)
    (sent,) = telegram.sent()
    assert sent["message"]["photo"][0]["file_id"] == SignalPicture.objects.get().file_id != "forgotten"
    assert Delivery.objects.values_list("state", "is_repeat").get() == ("sent", False)


def test_upload_that_telegram_refuses_leaves_the_text(telegram: Controls) -> None:
    signal = drawable()
    with_picture(signal)
    SignalPicture.objects.update(png=b"no picture at all")
    people(telegram, 1)
    fan_out(signal=signal)
    send_until(telegram.url)
    (sent,) = telegram.sent()
    assert sent["method"] == "sendMessage"
    assert "image_process_failed" in SignalPicture.objects.get().error.lower()
    assert Delivery.objects.values_list("state", "is_repeat").get() == ("sent", False)


def test_caption_that_telegram_refuses_goes_out_as_plain_text_without_the_picture(telegram: Controls) -> None:
    signal = drawable()
    with_picture(signal)
    people(telegram, 1)
    fan_out(signal=signal)
    telegram.fault("400", method="sendPhoto", description="Bad Request: message caption is too long")
    send_until(telegram.url)
    assert [sent["method"] for sent in telegram.sent()] == ["sendMessage"]
    assert Delivery.objects.values_list("state", "is_plain").get() == ("sent", True)


def test_text_too_long_for_a_caption_goes_alone(telegram: Controls) -> None:
    signal = drawable()
    long = make_signal(instrument=signal.instrument, reasons=["long " * 60] * 3)
    pictures.request_picture(signal=long)
    SignalPicture.objects.update(png=b"never looked at")
    people(telegram, 1)
    fan_out(signal=long)
    send_until(telegram.url)
    assert [sent["method"] for sent in telegram.sent()] == ["sendMessage"]


def test_signal_waits_three_seconds_for_its_picture_and_no_longer(telegram: Controls) -> None:
    people(telegram, 1)
    signal = drawable()
    receivers.deliver(coming=signal)
    delivery = Delivery.objects.get()
    assert delivery.next_attempt_at == delivery.due_at + timedelta(seconds=3)
    SignalPicture.objects.update(error="nobody draws it")
    send_until(telegram.url)
    (sent,) = telegram.sent()
    assert sent["method"] == "sendMessage"
    delivery.refresh_from_db()
    assert delivery.sent_at >= delivery.due_at + timedelta(seconds=3)


def test_picture_that_is_there_ends_the_wait_and_none_is_shortened_below_the_release() -> None:
    for delay in (0, 1, 900):
        make_subscriber(tier=make_tier(delay_seconds=delay))
    signal = drawable(published_at=timezone.now() + timedelta(hours=1))
    pictures.request_picture(signal=signal)
    fan_out(signal=signal)
    waits = [d.next_attempt_at - d.due_at for d in Delivery.objects.order_by("due_at")]
    assert waits == [timedelta(seconds=3), timedelta(seconds=2), timedelta(0)]
    tasks.draw_picture(signal.pk)
    assert [d.next_attempt_at - d.due_at for d in Delivery.objects.all()] == [timedelta(0)] * 3


def test_nobody_waits_behind_a_long_queue() -> None:
    assert [pictures.request_picture(signal=make_signal()) for _ in range(6)] == [True] * 4 + [False] * 2
    assert SignalPicture.objects.filter(awaited_until=None).count() == 2


def test_signal_without_candles_is_given_up_aloud_and_releases_who_waited(
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_subscriber()
    signal = make_signal(published_at=timezone.now() + timedelta(hours=1))
    pictures.request_picture(signal=signal)
    fan_out(signal=signal)
    tasks.draw_picture(signal.pk)
    assert "no candles" in SignalPicture.objects.get().error
    assert Delivery.objects.get().next_attempt_at == signal.published_at
    assert any(record.levelname == "ERROR" for record in caplog.records)
    assert pictures.begin_drawing(signal_id=signal.pk) is False


def test_lost_wake_up_is_swept_until_the_signal_expires_and_three_attempts_at_most() -> None:
    now = timezone.now()
    signals = [make_signal(published_at=now - timedelta(hours=age)) for age in (1, 2, 5)]
    for signal in signals:
        pictures.request_picture(signal=signal)
    undrawn = {"requested_before": now, "now": now}
    assert pictures.undrawn_pictures(**undrawn) == [signals[0].pk, signals[1].pk]
    assert [pictures.begin_drawing(signal_id=signals[0].pk) for _ in range(4)] == [True] * 3 + [False]
    assert pictures.undrawn_pictures(**undrawn) == [signals[1].pk]


def test_signal_is_drawn_by_the_worker_that_its_publication_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[Any] = []
    monkeypatch.setattr(tasks.draw_picture, "apply_async", lambda args, retry: woken.append(args))
    signal = drawable()
    receivers.deliver(coming=signal)
    assert woken == [(signal.pk,)]

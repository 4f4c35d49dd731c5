"""What fails of many is recorded, becomes an alarm when it repeats, and is forgotten once it works."""

import pytest
from django.db import OperationalError
from django.utils import timezone

from signals.market.models import ItemFailure
from signals.market.providers import ProviderError
from signals.market.services.guard import guarded
from signals.models import Alarm
from signals.services.alarms import look

pytestmark = pytest.mark.django_db


def fail(item: str, error: Exception, times: int = 1) -> None:
    for _ in range(times):
        with guarded("candles 1h", item):
            raise error


def test_the_rest_goes_on_and_the_error_is_recorded() -> None:
    done = []
    for item in ("a", "b", "c"):
        with guarded("candles 1h", item):
            if item == "b":
                raise ProviderError("no such market", permanent=True)
            done.append(item)

    assert done == ["a", "c"]
    failure = ItemFailure.objects.get()
    assert (failure.task, failure.item, failure.failures) == ("candles 1h", "b", 1)
    assert failure.error == "ProviderError: no such market"


@pytest.mark.parametrize("error", [ValueError("x"), ZeroDivisionError("x"), IndexError("x"), KeyError("x")])
def test_what_odd_data_may_bring_about_is_expected(error: Exception) -> None:
    fail("a", error, times=2)

    assert ItemFailure.objects.get().failures == 2


@pytest.mark.parametrize("error", [OperationalError("down"), TypeError("ours"), AttributeError("ours")])
def test_a_lost_database_or_a_mistake_of_ours_ends_the_task(error: Exception) -> None:
    with pytest.raises(type(error)):
        fail("a", error)


def test_the_third_failure_in_a_row_is_an_alarm_and_success_ends_it() -> None:
    now = timezone.now()
    fail("binance BTC/USDT", ValueError("not finite"), times=2)
    look(watching_since=now)
    assert not Alarm.objects.exists()

    fail("binance BTC/USDT", ValueError("not finite"))
    fail("binance ETH/USDT", ValueError("not finite"), times=3)
    look(watching_since=now)
    look(watching_since=now)
    alarm = Alarm.objects.get()
    assert alarm.name == "task candles 1h"
    assert alarm.detail == (
        "binance BTC/USDT failed 3 times in a row or more, as did 1 others: ValueError: not finite"
    )

    with guarded("candles 1h", "binance BTC/USDT"):
        pass
    look(watching_since=now)
    assert Alarm.objects.get().cleared_at is None
    with guarded("candles 1h", "binance ETH/USDT"):
        pass
    look(watching_since=now)
    assert Alarm.objects.get().cleared_at is not None
    assert not ItemFailure.objects.exists()


def test_a_failure_that_its_task_no_longer_comes_to_is_forgotten() -> None:
    now = timezone.now()
    fail("gone", ValueError("x"), times=3)
    look(watching_since=now)
    ItemFailure.objects.update(failed_at="2020-01-01T00:00Z")
    look(watching_since=now)

    assert Alarm.objects.get().cleared_at is not None

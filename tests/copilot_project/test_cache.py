"""What stands in the cache is data: whoever writes there runs nothing here."""

import pickle
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from redis import Redis

from copilot_project.embedded.state import with_database

pytestmark = pytest.mark.usefixtures("redis_server")


class Bomb:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.canary,))


@pytest.mark.parametrize("value", [0, 7, True, False, None, 1.5, "text", [1.25, 2.5], {"a": [1]}, "12"])
def test_value_comes_back_as_it_was(value: object) -> None:
    cache.set("value", value)
    found = cache.get("value", "missing")
    assert found == value
    assert type(found) is type(value)


def test_counting_works() -> None:
    cache.set("count", 1)
    assert cache.incr("count") == 2
    assert cache.get("count") == 2


def test_pickle_in_the_cache_runs_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with Redis.from_url(settings.CACHE_URL) as redis:
        redis.set(cache.make_key("planted"), pickle.dumps(Bomb(canary)))

    with pytest.raises(ValueError):
        cache.get("planted")

    assert not canary.exists()


def test_what_is_no_data_is_refused_when_it_is_stored(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        cache.set("bomb", Bomb(tmp_path))


def test_cache_and_broker_are_apart() -> None:
    cache.set("apart", 1)
    with Redis.from_url(settings.REDIS_URL) as broker:
        assert broker.get(cache.make_key("apart")) is None


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("redis://:pw@redis:6379/0", "redis://:pw@redis:6379/1"),
        ("redis://redis", "redis://redis/1"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?db=1"),
    ],
)
def test_another_database_of_the_same_redis(url: str, other: str) -> None:
    assert with_database(url, 1) == other

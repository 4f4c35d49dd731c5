"""How often: so many reads and so many writes a minute for each key and person."""

from functools import lru_cache
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from users.api.authentication import key_of_request

WINDOW_SECONDS = 60
READS = frozenset({"GET", "HEAD", "OPTIONS"})

log = structlog.get_logger(__name__)


class KeyThrottle(BaseThrottle):
    """Counts in Redis, by the minute; `wait` tells when the next begins. Without Redis nobody is held up."""

    def __init__(self) -> None:
        self.remaining_seconds = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        kind = "read" if request.method in READS else "write"
        key = key_of_request(request)
        who = f"key:{key.pk}" if key else f"user:{request.user.pk}"
        now = timezone.now().timestamp()
        window = int(now // WINDOW_SECONDS)
        self.remaining_seconds = (window + 1) * WINDOW_SECONDS - now
        try:
            return count(f"api:{kind}:{who}:{window}") <= settings.API_REQUESTS_PER_MINUTE[kind]
        except RedisError as error:
            log.warning("requests are not counted: Redis does not answer", error=str(error))
            return True

    def wait(self) -> float:
        return self.remaining_seconds


def count(name: str) -> int:
    """One more in one round trip; Django's cache would take three."""
    with client(settings.CACHE_URL).pipeline(transaction=False) as pipeline:
        pipeline.incr(cache.make_key(name))
        pipeline.expire(cache.make_key(name), 2 * WINDOW_SECONDS)
        return int(pipeline.execute()[0])


@lru_cache(maxsize=1)
def client(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=1)

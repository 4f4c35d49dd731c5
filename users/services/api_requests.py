"""One POST, one effect: whoever repeats an Idempotency-Key gets the first answer once more."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from users.models import ApiKey, ApiRequest, User

KEPT_FOR = timedelta(hours=24)
# A process that died with a claim gives no answer; no request takes this long.
CLAIM_LASTS = timedelta(minutes=2)


class UnderWayError(Exception):
    """The first request with this key has no answer yet."""


class BodyChangedError(Exception):
    """This key was used for another request."""


@dataclass(frozen=True)
class Answered:
    """What the first request was told."""

    status: int
    body: Any


def claim_request(
    *, user: User, api_key: ApiKey | None, idempotency_key: str, path: str, fingerprint: str, now: datetime
) -> ApiRequest | Answered:
    """The claim, or the answer that was given. Raises BodyChangedError and UnderWayError."""
    who = {"user": user, "api_key": api_key, "idempotency_key": idempotency_key}
    values = {"path": path[:200], "fingerprint": fingerprint, "claimed_at": now}
    stale = ApiRequest.objects.filter(**who)
    stale.filter(claimed_at__lte=now - KEPT_FOR).delete()
    stale.filter(claimed_at__lte=now - CLAIM_LASTS, status=None, fingerprint=fingerprint).delete()
    try:
        with transaction.atomic():
            return ApiRequest.objects.create(**who, **values)
    except IntegrityError:
        earlier = ApiRequest.objects.filter(**who).first()
    if earlier is None:  # given back since: whoever comes next may try
        raise UnderWayError
    if earlier.fingerprint != fingerprint:
        raise BodyChangedError
    if earlier.status is None:
        raise UnderWayError
    return Answered(earlier.status, earlier.answer)


def answer_request(*, claim: ApiRequest, status: int, body: Any) -> None:
    """Belongs into the transaction that did the work."""
    ApiRequest.objects.filter(pk=claim.pk).update(status=status, answer=body)


def release_request(*, claim: ApiRequest) -> None:
    """Nothing was done: the key may be used again."""
    ApiRequest.objects.filter(pk=claim.pk, status=None).delete()


def forget_api_requests(*, now: datetime) -> int:
    """How many answers were too old to be asked for again."""
    return ApiRequest.objects.filter(claimed_at__lte=now - KEPT_FOR).delete()[0]

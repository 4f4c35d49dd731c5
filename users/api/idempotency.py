"""`Idempotency-Key` on every POST: the same body gets the same answer, and the work is done once."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from users.api.authentication import key_of_request
from users.api.problems import Conflict, Unprocessable
from users.api.schema import HEADER
from users.models import ApiRequest
from users.services import (
    Answered,
    BodyChangedError,
    UnderWayError,
    answer_request,
    claim_request,
    release_request,
)

REPLAYED = "Idempotency-Replayed"
LONGEST = 255
# Nothing was done, and the caller may mend it and try again with the same key.
MENDABLE = frozenset({400, 401, 403, 404, 415, 429})
Handler = Callable[..., Response]


class IdempotentPosts:
    """A mixin in front of APIView: the answer is kept in the transaction that does the work."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        key = request.headers.get(HEADER)
        if request.method == "POST" and key is not None:
            # DRF looks for the method after this.
            self.post: Handler = partial(self._once, checked(key), self.post)

    def _once(self, key: str, handler: Handler, request: Request, *args: Any, **kwargs: Any) -> Response:
        claim = self._claim(key, request)
        if isinstance(claim, Answered):
            return Response(claim.body, status=claim.status, headers={REPLAYED: "true"})
        try:
            with transaction.atomic():
                response = handler(request, *args, **kwargs)
                answer_request(claim=claim, status=response.status_code, body=plain(response.data))
        except APIException as error:
            return self._refused(claim, error)
        except BaseException:
            release_request(claim=claim)
            raise
        return response

    def _claim(self, key: str, request: Request) -> ApiRequest | Answered:
        try:
            return claim_request(
                user=request.user,  # type: ignore[arg-type]  # the permission let nobody else in
                api_key=key_of_request(request),
                idempotency_key=key,
                path=request.path_info,
                fingerprint=fingerprint(request),
                now=timezone.now(),
            )
        except BodyChangedError:
            raise Unprocessable(
                f"This {HEADER} was used with another request: take a new one.", "idempotency_key_reused"
            ) from None
        except UnderWayError:
            raise Conflict(
                f"The first request with this {HEADER} is still under way: ask again.",
                "idempotency_key_in_use",
            ) from None

    def _refused(self, claim: ApiRequest, error: APIException) -> Response:
        """A refusal is an answer too."""
        response: Response = self.handle_exception(error)  # type: ignore[attr-defined]
        if error.status_code in MENDABLE or error.status_code >= 500:
            release_request(claim=claim)
        else:
            answer_request(claim=claim, status=response.status_code, body=plain(response.data))
        return response


def checked(key: str) -> str:
    if not 0 < len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise ValidationError({HEADER: f"1 to {LONGEST} printable ASCII characters."})
    return key


def fingerprint(request: Request) -> str:
    """Of what is asked, not of how it is spelled: spaces and the order of names do not count."""
    body = orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS)
    asked = b"\n".join((str(request.method).encode(), request.get_full_path().encode(), body))
    return hashlib.sha256(asked).hexdigest()


def plain(data: Any) -> Any:
    """As JSON says it, for the column."""
    return orjson.loads(orjson.dumps(data, default=str))

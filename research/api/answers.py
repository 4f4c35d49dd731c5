"""JSON that was made already, with its ETag."""

import base64
import binascii
import hashlib

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

JSON = "application/json"
# Whoever keeps an answer asks before using it again: what may be seen changes with the minute.
PRIVATE = "private, no-cache"


def etag_of(*parts: object) -> str:
    return '"' + hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=16).hexdigest() + '"'


def is_known(request: HttpRequest | Request, etag: str) -> bool:
    """Whether the caller has this answer already."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or etag in {tag.removeprefix("W/") for tag in known}


def not_modified(etag: str) -> HttpResponse:
    return with_headers(HttpResponse(status=304), etag)


def answer(content: bytes | str, etag: str, content_type: str = JSON) -> HttpResponse:
    return with_headers(HttpResponse(content, content_type=content_type), etag)


def known_or_answer(request: HttpRequest | Request, content: bytes | str) -> HttpResponse:
    """For what has no cheaper sign of change than itself."""
    etag = etag_of(content)
    return not_modified(etag) if is_known(request, etag) else answer(content, etag)


def with_headers(response: HttpResponse, etag: str) -> HttpResponse:
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = PRIVATE
    patch_vary_headers(response, ["Authorization", "X-API-Key", "Cookie"])
    return response


def cursor_text(place: int) -> str:
    return base64.urlsafe_b64encode(place.to_bytes(8, "big")).decode().rstrip("=")


def cursor_place(text: str) -> int:
    """ValidationError names the field."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    place = int.from_bytes(raw, "big")
    if len(raw) != 8 or place >= 2**63:
        raise ValidationError({"cursor": "This is no cursor: take `next` of a page."})
    return place

"""Errors as RFC 9457 problems: one shape, whatever went wrong."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

PROBLEM = "application/problem+json"
API = "/api/"


class Conflict(APIException):
    """409 with a word for programs in `code`, and members of its own."""

    status_code = 409
    default_code = "conflict"
    default_detail = "This is not possible as things stand."

    def __init__(self, detail: str | None = None, code: str | None = None, **members: Any) -> None:
        super().__init__(detail, code)
        self.members = members


class Gone(Conflict):
    status_code = 410
    default_code = "gone"
    default_detail = "This endpoint was removed."


class Unprocessable(Conflict):
    status_code = 422
    default_code = "unprocessable"
    default_detail = "The request was understood and cannot be done."


def problem(status: int, *, detail: str = "", code: str = "", **members: Any) -> dict[str, Any]:
    """`title` is the status in words, `code` a word for programs."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        body["detail"] = detail
    if code:
        body["code"] = code
    return body | members


def problem_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's `EXCEPTION_HANDLER`; None leaves what is no answer to Django, which logs it."""
    response = exception_handler(error, context)
    if response is None:
        return None
    members: dict[str, Any] = dict(getattr(error, "members", {}))
    if isinstance(error, ValidationError):
        fields = named(error.detail)
        detail = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
        response.data = problem(response.status_code, detail=detail, code="invalid", errors=fields)
    else:
        said: Any = getattr(error, "detail", None)
        code = said.code if isinstance(said, ErrorDetail) else ""
        text = str(said if said is not None else error)
        response.data = problem(response.status_code, detail=text, code=code or "", **members)
    # As JSON even where the view answers with YAML or a page.
    request = context["request"]
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    response.content_type = PROBLEM
    return response


def named(detail: Any, name: str = "") -> dict[str, list[str]]:
    """Messages by field; a field of a field is `outer.inner`, the whole body is `body`."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            inner = "" if key == "non_field_errors" else str(key)
            found |= named(value, ".".join(part for part in (name, inner) if part))
        return found
    texts = detail if isinstance(detail, list) else [detail]
    found = {}
    for text in texts:
        if isinstance(text, (dict, list)):
            found |= named(text, name)
        else:
            found.setdefault(name or "body", []).append(str(text))
    return found


def problem_page(request: HttpRequest, status: int, detail: str = "") -> HttpResponse | None:
    """For what no view of the API answered; None where a page was asked for."""
    if not request.path_info.startswith(API):
        return None
    return JsonResponse(problem(status, detail=detail), status=status, content_type=PROBLEM)

"""A request and the tasks that it asks for are found by one id."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from celery.signals import before_task_publish, task_prerun
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django_structlog.middlewares import RequestMiddleware

import copilot_project.celery  # noqa: F401  (the worker's receiver)


@pytest.fixture(autouse=True)
def own_context() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


def ask_for_a_task(request: HttpRequest) -> HttpResponse:
    """A view that wakes a worker; what the message carries is its answer's."""
    headers: dict[str, Any] = {}
    before_task_publish.send(
        sender="task", headers=headers, body={}, properties={}, routing_key="celery", exchange=""
    )
    answer = HttpResponse()
    answer.context = headers["__django_structlog__"]
    answer.bound = structlog.contextvars.get_contextvars()
    return answer


def test_a_task_is_logged_under_the_request_that_asked_for_it() -> None:
    answer = RequestMiddleware(ask_for_a_task)(
        RequestFactory().get("/?secret=1", headers={"x-request-id": "forged"})
    )

    assert answer.bound.keys() == {"request_id"}
    assert answer.context == answer.bound
    assert answer.bound["request_id"] != "forged"
    assert structlog.contextvars.get_contextvars() == {}, "the next request would inherit it"

    structlog.contextvars.bind_contextvars(request_id="of the task before")
    task = SimpleNamespace(name="task", request=SimpleNamespace(__django_structlog__=answer.context))
    task_prerun.send(sender="task", task_id="7", task=task)

    assert structlog.contextvars.get_contextvars() == answer.context | {"task_id": "7"}


def test_two_requests_have_two_ids() -> None:
    handle = RequestMiddleware(ask_for_a_task)
    ids = {handle(RequestFactory().get("/")).bound["request_id"] for _ in range(2)}
    assert len(ids) == 2

"""What Django is not given: bodies above the limit, promised or not."""

import asyncio
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application

from copilot_project.body_limit import (
    LARGEST_BODY,
    LARGEST_LOGIN,
    LARGEST_UPDATE,
    Receive,
    Scope,
    Send,
    limited,
)

WEBHOOK = "/telegram/webhook"
PIECE = 64 * 1024


class Listener:
    """An application that reads everything and answers 200; a disconnect ends it without an answer, as Django's."""

    def __init__(self) -> None:
        self.taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            self.taken += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def answer(application: Any, path: str, size: int, promised: str | None = None) -> int:
    """Status of a POST of so many bytes, sent in pieces."""

    async def play() -> int:
        headers = [(b"host", b"localhost")]
        if promised is not None:
            headers.append((b"content-length", promised.encode()))
        scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
        client = ApplicationCommunicator(limited(application), scope)
        for start in range(0, max(size, 1), PIECE):
            piece = b"x" * min(PIECE, size - start)
            await client.send_input(
                {"type": "http.request", "body": piece, "more_body": start + PIECE < size}
            )
        status: int = (await client.receive_output(10))["status"]
        return status

    return asyncio.run(play())


@pytest.mark.parametrize(
    ("path", "most"),
    [
        (WEBHOOK, LARGEST_UPDATE),
        ("/accounts/login/", LARGEST_LOGIN),
        ("/admin/login/", LARGEST_LOGIN),
        ("/admin/users/tier/add/", LARGEST_BODY),
    ],
)
def test_body_up_to_the_limit_arrives_whole_and_a_larger_one_is_refused(path: str, most: int) -> None:
    listener = Listener()
    assert answer(listener, path, most) == 200
    assert listener.taken == most
    listener = Listener()
    assert answer(listener, path, most + 1) == 413
    assert listener.taken <= most


def test_promise_of_a_large_body_is_refused_before_anything_is_read() -> None:
    listener = Listener()
    assert answer(listener, WEBHOOK, 10, promised=str(LARGEST_UPDATE + 1)) == 413
    assert listener.taken == 0


@pytest.mark.parametrize("promised", ["-1", "", "1e9", "²", "nonsense"])
def test_promise_that_is_no_number_does_not_help(promised: str) -> None:
    assert answer(Listener(), WEBHOOK, LARGEST_UPDATE + 1, promised=promised) == 413


@pytest.mark.django_db(transaction=True)
def test_django_never_sees_a_large_body_of_a_stranger() -> None:
    assert answer(get_asgi_application(), WEBHOOK, 10) == 403
    assert answer(get_asgi_application(), WEBHOOK, LARGEST_UPDATE + 1) == 413


def test_no_body_may_be_larger_than_a_megabyte() -> None:
    assert LARGEST_BODY == 1024 * 1024


@pytest.mark.parametrize("rest_comes", [False, True])
def test_body_that_does_not_come_is_given_up(*, rest_comes: bool) -> None:
    """Forty logins that never ended held 380 MB."""

    async def play() -> int:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/accounts/login/",
            "headers": [],
            "query_string": b"",
        }
        client = ApplicationCommunicator(limited(Listener(), seconds=0.2), scope)
        await client.send_input({"type": "http.request", "body": b"login=", "more_body": True})
        if rest_comes:
            await client.send_input({"type": "http.request", "body": b"boss", "more_body": False})
        status: int = (await client.receive_output(10))["status"]
        return status

    assert asyncio.run(play()) == (200 if rest_comes else 408)


def test_page_may_take_longer_than_its_body() -> None:
    """Django listens for a visitor who leaves while a page is made: that is no body which is late."""

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.3)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def play() -> int:
        scope = {"type": "http", "method": "GET", "path": "/admin/", "headers": [], "query_string": b""}
        client = ApplicationCommunicator(limited(slow, seconds=0.1), scope)
        await client.send_input({"type": "http.request", "body": b"", "more_body": False})
        status: int = (await client.receive_output(10))["status"]
        return status

    assert asyncio.run(play()) == 200

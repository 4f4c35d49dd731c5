"""python-telegram-bot over aiohttp: its default, httpx, searches its whole pool at every request."""

import json
from collections.abc import Callable
from contextvars import ContextVar
from math import ceil
from typing import Any, NoReturn
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from telegram._utils.types import ODVInput
from telegram.error import NetworkError, RetryAfter, TimedOut
from telegram.request import BaseRequest, RequestData

CONNECTIONS = 100
UPLOAD_SECONDS = 20.0  # python-telegram-bot's own for files
REFUSED, FAILED = 400, 500
TOO_MANY_REQUESTS = 429
LONGEST_SAID = 1_000_000  # JSON knows infinity, a pause must not
SECONDS_WHEN_NONE_ARE_SAID = 30  # a 429 of something before the Bot API, which tells no time
JSON = {"Content-Type": "application/json"}

# Asked once there is a connection, which may take seconds to open, and before the first byte. For the current task.
may_begin: ContextVar[Callable[[], bool]] = ContextVar("may_begin", default=lambda: True)


class NotSentError(NetworkError):
    """No connection came about, or none was free in time: Telegram cannot have seen the request."""


class HeldBackError(NetworkError):
    """`may_begin` said no: Telegram was not asked."""


class ForeignAnswerError(NetworkError):
    """Something before the Bot API refused the request in words of its own."""


class _HeldBack(aiohttp.ClientConnectionError):
    """The same on its way through aiohttp."""


class _Connector(aiohttp.TCPConnector):
    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if not may_begin.get()():
            connection.release()
            raise _HeldBack
        return connection


class AiohttpRequest(BaseRequest):
    """Seconds: `connect`, `pool` (until a connection is free), `write` and `read`.

    aiohttp knows one silence, from the first byte that is written to the next that is read; it may last for
    `write` and `read` together. Raises HeldBackError, NotSentError, TimedOut or NetworkError, all without the
    address, which holds the bot token, and RetryAfter for every 429: where its body does not say how long, the header
    does. What is refused by something before the Bot API is a ForeignAnswerError: only Telegram itself can say that
    a chat or a token is no good.
    Neither retries nor follows redirects. HTTPS_PROXY and NO_PROXY are read when it opens.
    """

    def __init__(
        self,
        *,
        connections: int = CONNECTIONS,
        connect_timeout: float = 5.0,
        pool_timeout: float = 1.0,
        write_timeout: float = 5.0,
        read_timeout: float = 5.0,
    ) -> None:
        self._connections = connections
        self._connect = connect_timeout
        self._pool = pool_timeout
        self._write = write_timeout
        self._read = read_timeout
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[str, str] = {}

    @property
    def read_timeout(self) -> float:
        return self._read

    async def initialize(self) -> None:
        if self._session is None:
            self._proxies = getproxies()
            self._session = aiohttp.ClientSession(
                connector=_Connector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.USER_AGENT},
            )

    async def shutdown(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        write_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        connect_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        pool_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """See BaseRequest.do_request."""
        if self._session is None:
            raise RuntimeError("AiohttpRequest is used before initialize or after shutdown")
        uploads = request_data is not None and request_data.contains_files
        connect = _given(connect_timeout, self._connect)
        timeout = aiohttp.ClientTimeout(
            total=None,
            connect=_sum(_given(pool_timeout, self._pool), connect),
            sock_connect=connect,
            sock_read=_sum(
                _given(write_timeout, UPLOAD_SECONDS if uploads else self._write),
                _given(read_timeout, self._read),
            ),
        )
        try:
            async with self._session.request(
                method,
                url,
                timeout=timeout,
                allow_redirects=False,
                **_body(request_data),
                **self._through_proxy(url),
            ) as response:
                body = await response.read()
                answer = _bot_api_answer(body) if REFUSED <= response.status < FAILED else {}
                if response.status == TOO_MANY_REQUESTS:
                    raise RetryAfter(_seconds_to_wait(answer, response.headers.get("Retry-After", "")))
                if answer is None:
                    raise ForeignAnswerError(f"HTTP {response.status}, not from the Bot API")
                return response.status, body
        except (aiohttp.ClientError, TimeoutError) as error:
            _raise(error)

    def _through_proxy(self, url: str) -> dict[str, Any]:
        if not self._proxies:
            return {}
        address = urlsplit(url)
        proxy = self._proxies.get(address.scheme)
        return {} if not proxy or proxy_bypass(address.hostname or "") else {"proxy": proxy}


def _body(data: RequestData | None) -> dict[str, Any]:
    if data is None:
        return {}
    if not data.contains_files:
        return {"data": data.json_payload, "headers": JSON}
    form = aiohttp.FormData()
    for name, value in data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, content_type) in data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=content_type)
    return {"data": form}


def _seconds_to_wait(answer: dict[str, Any] | None, header: str) -> int:
    """What the body says, else the header; at least one, and rounded up."""
    match answer:
        case {"parameters": {"retry_after": int() | float() as seconds}} if seconds > 0:
            return ceil(min(seconds, LONGEST_SAID))
        case {"parameters": {"retry_after": 0}}:
            return 1
    return int(header) if header.isascii() and header.isdigit() else SECONDS_WHEN_NONE_ARE_SAID


def _bot_api_answer(body: bytes) -> dict[str, Any] | None:
    """An answer of the form that all of Telegram's have; None for anything else."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and "ok" in answer else None


def _given(seconds: ODVInput[float], default: float) -> float | None:
    """What the caller asked for; None is no limit."""
    return default if seconds is BaseRequest.DEFAULT_NONE else seconds  # type: ignore[return-value]


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second


def _raise(error: Exception) -> NoReturn:
    """Without its cause: aiohttp's errors quote the address."""
    match error:
        case _HeldBack():
            raise HeldBackError("not sent any more") from None
        case aiohttp.ClientConnectorError():
            raise NotSentError(f"no connection: {error.os_error}") from None
        case aiohttp.ConnectionTimeoutError():
            raise NotSentError("no connection in time") from None
        case aiohttp.ClientHttpProxyError():
            raise NotSentError(f"the proxy refused the connection with {error.status}") from None
        case TimeoutError():
            raise TimedOut("no answer in time") from None
        case _:
            raise NetworkError(f"broken connection: {type(error).__name__}") from None

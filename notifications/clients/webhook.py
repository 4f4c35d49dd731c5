"""The only way to an integrator's address: resolved once, checked, and then no other address is spoken to."""

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from notifications.clients.address import require_allowed, require_allowed_url

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
LONGEST_ANSWER = 1024


class WebhookFailedError(Exception):
    """No answer that means yes; `status` is what came, None where nothing did."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class CheckedResolver(AbstractResolver):
    """aiohttp asks here for the addresses that it connects to: what is not allowed is never handed out."""

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = loopback
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            require_allowed(result["host"], loopback=self._loopback)
        return found

    async def close(self) -> None:
        await self._resolver.close()


async def post_webhook(*, url: str, body: bytes, headers: dict[str, str], loopback: bool) -> int:
    """The status of the answer, which is 2xx. Raises AddressRefusedError and WebhookFailedError.

    Redirects are not followed and no proxy is asked: either would speak to an address that nobody checked.
    """
    require_allowed_url(url, loopback=loopback)
    connector = aiohttp.TCPConnector(resolver=CheckedResolver(loopback=loopback), use_dns_cache=False)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=TIMEOUT, trust_env=False
            ) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            await answer.content.read(LONGEST_ANSWER)
            if not 200 <= answer.status < 300:
                raise WebhookFailedError(f"HTTP {answer.status}", answer.status)
            return answer.status
    except TimeoutError:
        raise WebhookFailedError("no answer in time") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise WebhookFailedError(f"no connection: {type(error).__name__}") from None

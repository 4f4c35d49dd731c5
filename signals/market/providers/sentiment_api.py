"""How a source of sentiment is asked over HTTP."""

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import httpx

from signals.engine.headline import cleaned
from signals.market.providers.mood_source import SentimentError, Trouble
from signals.telemetry import count_outside_call

LARGEST_ANSWER = 2 * 1024 * 1024
LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SentimentApi:
    """One service outside: every request within `seconds` altogether, never redirected, never more than 2 MB."""

    service: str
    base_url: str
    headers: Mapping[str, str]
    seconds: float

    def ask(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """The JSON of a 200. Raises SentimentError; no message holds a key or the answer's text beyond a line."""
        try:
            status, headers, content = self._fetched(method, path, parameters, body)
            answer = self._understood(status, headers, content)
        except SentimentError:
            count_outside_call(self.service, "error")
            raise
        count_outside_call(self.service, "ok")
        return answer

    def _fetched(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
    ) -> tuple[int, httpx.Headers, bytes]:
        ends_at = time.monotonic() + self.seconds
        try:
            with (
                httpx.Client(
                    timeout=self.seconds, follow_redirects=False, trust_env=False, verify=_certificates()
                ) as client,
                client.stream(
                    method, self.base_url + path, params=parameters, json=body, headers=dict(self.headers)
                ) as response,
            ):
                content = b""
                for part in response.iter_bytes():
                    content += part
                    if len(content) > LARGEST_ANSWER:
                        raise SentimentError(
                            f"{self.service}: an answer of more than {LARGEST_ANSWER} bytes",
                            Trouble.MALFORMED,
                        )
                    if time.monotonic() > ends_at:
                        raise httpx.ReadTimeout("the answer drips")
                return response.status_code, response.headers, content
        except httpx.DecodingError as error:
            raise SentimentError(f"{self.service}: {type(error).__name__}", Trouble.MALFORMED) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            message = f"{self.service}: no answer ({type(error).__name__})"
            raise SentimentError(message, Trouble.UNAVAILABLE) from error

    def _understood(self, status: int, headers: httpx.Headers, content: bytes) -> Any:
        if status == httpx.codes.OK:
            try:
                return json.loads(content, parse_constant=_no_number)
            except (ValueError, RecursionError) as error:
                raise SentimentError(f"{self.service}: the answer is not JSON", Trouble.MALFORMED) from error
        said = _said(content)
        message = f"{self.service}: {status} {said}".rstrip()
        raise SentimentError(message, _kind_of(status, said), _told_to_wait(status, headers))


@cache
def _certificates() -> ssl.SSLContext:
    """Read once in a process: it takes longer than a question."""
    return ssl.create_default_context()


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _kind_of(status: int, said: str) -> Trouble:
    # xAI answers a wrong key with 400.
    if status in (401, 403) or (status == 400 and "api key" in said.lower()):
        return Trouble.KEY
    if status in (404, 410):
        return Trouble.GONE
    if status == 429:
        return Trouble.THROTTLED
    return Trouble.REFUSED if 400 <= status < 500 else Trouble.UNAVAILABLE


def _said(content: bytes) -> str:
    """The error's own words, cleaned: they are shown to staff and logged."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    error = told.get("error", told.get("code", "")) if isinstance(told, dict) else told
    return cleaned(error.get("message", "") if isinstance(error, dict) else error, 160)


def _told_to_wait(status: int, headers: httpx.Headers) -> timedelta | None:
    told = headers.get("Retry-After", "")
    if status not in (429, 503) or not (told.isascii() and told.isdigit() and len(told) < 9):
        return None
    return min(timedelta(seconds=int(told)), LONGEST_WAIT)

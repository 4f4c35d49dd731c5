"""Telegram's error bodies."""

from aiohttp import web


class TelegramError(Exception):
    """A refusal with Telegram's code and description."""

    def __init__(self, code: int, description: str, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after

    def response(self) -> web.Response:
        body: dict[str, object] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.retry_after is None:
            return web.json_response(body, status=self.code)
        body["parameters"] = {"retry_after": self.retry_after}
        return web.json_response(body, status=self.code, headers={"Retry-After": str(self.retry_after)})


def bad_request(reason: str) -> TelegramError:
    return TelegramError(400, f"Bad Request: {reason}")


def too_many_requests(retry_after: int) -> TelegramError:
    return TelegramError(429, f"Too Many Requests: retry after {retry_after}", retry_after)

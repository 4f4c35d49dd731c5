"""Binance's request weights: a budget per minute, 429 above it, a ban for those who go on."""

from dataclasses import dataclass

from aiohttp import web

MINUTE_S = 60
BAN_AFTER = 10  # further requests inside a 429 until the address is banned
BAN_S = 120


@dataclass
class WeightBudget:
    """One caller's budget; loopback has one caller. Times are wall seconds."""

    limit: int
    window: int = 0
    used: int = 0
    refused: int = 0
    banned_until: float = 0.0

    def charge(self, weight: int, now: float) -> None:
        """Count a request, or raise Binance's 429 or 418 for it."""
        if now < self.banned_until:
            raise self._ban(now)
        self._roll(now)
        if self.used + weight > self.limit:
            self.refused += 1
            if self.refused > BAN_AFTER:
                self.banned_until = now + BAN_S
                raise self._ban(now)
            raise self._too_many(now)
        self.used += weight

    def headers(self) -> dict[str, str]:
        return {"X-MBX-USED-WEIGHT": str(self.used), "X-MBX-USED-WEIGHT-1M": str(self.used)}

    def _roll(self, now: float) -> None:
        window = int(now // MINUTE_S)
        if window != self.window:
            self.window, self.used, self.refused = window, 0, 0

    def _too_many(self, now: float) -> web.HTTPException:
        wait = MINUTE_S - int(now % MINUTE_S)
        text = (
            f"Too much request weight used; current limit is {self.limit} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        return exchange_error(429, -1003, text, {"Retry-After": str(wait)} | self.headers())

    def _ban(self, now: float) -> web.HTTPException:
        text = (
            f"Way too much request weight used; IP banned until {int(self.banned_until * 1000)}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
        return exchange_error(418, -1003, text, {"Retry-After": str(int(self.banned_until - now) + 1)})


class _Banned(web.HTTPClientError):
    status_code = 418


_STATUSES: dict[int, type[web.HTTPException]] = {
    400: web.HTTPBadRequest,
    403: web.HTTPForbidden,
    418: _Banned,
    429: web.HTTPTooManyRequests,
    500: web.HTTPInternalServerError,
}


def exchange_error(
    status: int, code: int, message: str, headers: dict[str, str] | None = None
) -> web.HTTPException:
    """Binance's error body with its HTTP status."""
    body = web.json_response({"code": code, "msg": message}).text
    return _STATUSES[status](text=body, content_type="application/json", headers=headers)

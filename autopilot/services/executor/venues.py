"""Connections to exchanges: the only place that decrypts keys and makes clients. Of the executor's process alone."""

from datetime import datetime

import structlog
from django.conf import settings

from autopilot.clients.exchange import (
    Rights,
    Submission,
    Venue,
    VenueBusyError,
    VenueRefusedError,
    VenueUnknownError,
)
from autopilot.models import Account, ExchangeKey, KeySecret, KeyState
from autopilot.services.executor.credentials import credentials_of
from autopilot.services.live.keys import ApiKeyError
from signals.services.actions import record_action

logger = structlog.get_logger(__name__)

__all__ = ["Submission", "Venue", "VenueBusyError", "VenueRefusedError", "VenueUnknownError", "Venues"]

NOTHING_TOLD = Rights(can_withdraw=None, ip_restricted=None)
WITHDRAWS = "The key may withdraw: make one that may only trade."


class Venues:
    """One connection for each account; made anew when its key changes."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[bytes, Venue]] = {}

    def of(self, account: Account, now: datetime) -> Venue | None:
        """None where the account has no key that may be used. VenueUnknownError where its rights cannot be asked."""
        key = ExchangeKey.objects.select_related("exchange", "secret").filter(account=account).first()
        if key is None or key.state == KeyState.REFUSED:
            self._open.pop(account.pk, None)
            return None
        token = key.ciphertext
        known = self._open.get(account.pk)
        if known is None or known[0] != token:
            try:
                known = (token, self._connect(key))
            except ApiKeyError as error:
                logger.error("an API key cannot be read", account=account.name, error=str(error))  # noqa: TRY400
                return None
        if key.state == KeyState.UNCHECKED and not _may_be_used(key, known[1], now):
            return None
        self._open[account.pk] = known
        return known[1]

    def _connect(self, key: ExchangeKey) -> Venue:
        credentials = credentials_of(key)
        return Venue(
            exchange=key.exchange.code,
            api_key=credentials.api_key,
            api_secret=credentials.api_secret,
            api_url=venue_url(key.exchange.code),
            timeout_ms=settings.LIVE_CALL_TIMEOUT_MS,
            is_paced=not (settings.EXCHANGE_API_URL or "").startswith("http://127.0.0.1:"),
        )


def venue_url(code: str) -> str | None:
    """The sandbox speaks each exchange's dialect under a path of its own."""
    url: str | None = settings.EXCHANGE_API_URL
    if url and url.endswith("/binance") and code != "binance":
        return f"{url.removesuffix('/binance')}/{code}"
    return url


def _may_be_used(key: ExchangeKey, venue: Venue, now: datetime) -> bool:
    """Ask once what the key may do; one that may withdraw is refused and forgotten."""
    try:
        rights = venue.rights()
    except VenueRefusedError as error:
        return _settle(key, KeyState.REFUSED, str(error), NOTHING_TOLD, now)
    if rights.can_withdraw:
        return _settle(key, KeyState.REFUSED, WITHDRAWS, rights, now)
    if rights.can_withdraw is None:
        note = "This exchange does not tell what a key may do: see to it that it cannot withdraw."
    else:
        note = "" if rights.ip_restricted else "Bind the key to this machine's address."
    return _settle(key, KeyState.USABLE, note, rights, now)


def _settle(key: ExchangeKey, state: KeyState, note: str, rights: Rights, now: datetime) -> bool:
    key.state, key.note, key.ip_restricted = state, note[:200], rights.ip_restricted
    key.checked_at = now
    key.save()
    if state == KeyState.REFUSED:
        KeySecret.objects.filter(key=key).delete()
    record_action(
        actor="executor",
        what=f"exchange_key.{state.value}",
        target=key.account.name,
        now=now,
        after={"note": key.note},
    )
    return state == KeyState.USABLE

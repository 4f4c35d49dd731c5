"""Sessions: a row for whoever logs in, a signed cookie for anybody else.

A stranger who starts a Google login again and again would else fill the table.
"""

from typing import Any

from allauth.account.internal.stagekit import LOGIN_SESSION_KEY
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.core import signing

SIGNED = "signed."
SALT = "copilot_project.sessions"
ANONYMOUS_SECONDS = 3600
# A log-in that waits for its second factor is kept here: a cookie could be brought again.
WORTH_A_ROW = (SESSION_KEY, LOGIN_SESSION_KEY)


def is_signed(key: str | None) -> bool:
    return bool(key and key.startswith(SIGNED))


class SessionStore(DatabaseStore):
    """Django's, but that an anonymous session's key is the session itself."""

    def load(self) -> dict[str, Any]:
        if not is_signed(self.session_key):
            return super().load()
        try:
            loaded: dict[str, Any] = signing.loads(
                str(self.session_key).removeprefix(SIGNED),
                serializer=self.serializer,
                max_age=ANONYMOUS_SECONDS,
                salt=SALT,
            )
        except signing.BadSignature:
            self._session_key = None
            return {}
        return loaded

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002  (Django's signature)
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]  # Django's own backends do
        if any(key in data for key in WORTH_A_ROW):
            if is_signed(self.session_key):
                self._session_key = None
            super().save(must_create)
            return
        self.delete(self.session_key)
        self._session_key = SIGNED + signing.dumps(data, serializer=self.serializer, compress=True, salt=SALT)
        self.modified = True

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key and not is_signed(key):
            super().delete(key)

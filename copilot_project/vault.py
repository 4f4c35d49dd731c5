"""Settings from HashiCorp Vault (KV v2): below the environment, above files.

The names in a secret are those of `.env.example`. A process reads them once, at its start; a worker then looks every
minute (`copilot_project.tasks.watch_vault`) whether Vault answers and still says the same.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Where Vault is and who asks cannot stand in Vault itself.
BOOTSTRAP = (
    "vault_addr",
    "vault_token",
    "vault_role_id",
    "vault_secret_id",
    "vault_namespace",
    "vault_mount",
    "vault_path",
    "vault_timeout_seconds",
)
DEFAULT_MOUNT, DEFAULT_PATH, DEFAULT_TIMEOUT_SECONDS = "secret", "copilot", 5.0


class VaultError(Exception):
    """Vault gave no settings; the message is one line and holds no secret."""


@dataclass(frozen=True, kw_only=True, repr=False)
class VaultAccess:
    """Where Vault is and by what we are known there."""

    address: str
    token: str = ""
    role_id: str = ""
    secret_id: str = ""
    namespace: str = ""
    mount: str = DEFAULT_MOUNT
    paths: tuple[str, ...] = (DEFAULT_PATH,)
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS


def access_from(given: Mapping[str, Any]) -> VaultAccess | None:
    """What environment and `.env` say about Vault; None where they name none."""

    def text(name: str) -> str:
        value = given.get(name) or ""
        return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value).strip()

    if not text("vault_addr"):
        return None
    timeout = text("vault_timeout_seconds")
    try:
        timeout_seconds = float(timeout) if timeout else DEFAULT_TIMEOUT_SECONDS
    except ValueError:
        raise VaultError("VAULT_TIMEOUT_SECONDS is not a number") from None
    access = VaultAccess(
        address=text("vault_addr").rstrip("/"),
        token=text("vault_token"),
        role_id=text("vault_role_id"),
        secret_id=text("vault_secret_id"),
        namespace=text("vault_namespace"),
        mount=text("vault_mount") or DEFAULT_MOUNT,
        paths=tuple(path.strip("/ ") for path in text("vault_path").split(",") if path.strip("/ "))
        or (DEFAULT_PATH,),
        timeout_seconds=timeout_seconds,
    )
    if not access.token and not (access.role_id and access.secret_id):
        raise VaultError("VAULT_ADDR is set, but neither VAULT_TOKEN nor VAULT_ROLE_ID with VAULT_SECRET_ID")
    return access


class Vault:
    """One client: logs in when it must, reads the secrets, keeps its token alive."""

    def __init__(self, access: VaultAccess) -> None:
        import hvac  # noqa: PLC0415  (only where a Vault is named)

        self.access = access
        self.client = hvac.Client(
            url=access.address,
            token=access.token or None,
            namespace=access.namespace or None,
            timeout=access.timeout_seconds,
        )
        if not access.token:
            self.client.token = None  # hvac would take one from ~/.vault-token

    def read(self) -> dict[str, str]:
        """Name in lower case to value, of all paths; a later path wins."""
        return {name: value for path in self.access.paths for name, value in self._read_path(path).items()}

    def origins(self) -> dict[str, str]:
        """Name in lower case to the path that gives it."""
        return {name: path for path in self.access.paths for name in self._read_path(path)}

    def keep_alive(self) -> None:
        """Renew the token when half of its life is over; log in again when it has lapsed."""
        import hvac  # noqa: PLC0415

        with _in_words(self.access):
            if not self.client.token:
                self._log_in()
                return
            try:
                life = self.client.auth.token.lookup_self()["data"]
                whole, left = life.get("creation_ttl") or 0, life.get("ttl") or 0
                if life.get("renewable", True) and whole and left < whole / 2:
                    self.client.auth.token.renew_self()
            except hvac.exceptions.Forbidden:
                if self.access.token:
                    raise
                self._log_in()

    def _log_in(self) -> None:
        self.client.token = None
        self.client.auth.approle.login(
            role_id=self.access.role_id, secret_id=self.access.secret_id, use_token=True
        )

    def _read_path(self, path: str) -> dict[str, str]:
        with _in_words(self.access, path):
            if not self.client.token:
                self._log_in()
            answer = self.client.secrets.kv.v2.read_secret_version(
                path=path, mount_point=self.access.mount, raise_on_deleted_version=True
            )
        values = answer["data"]["data"]
        return {
            name.lower(): as_text(value) for name, value in values.items() if name.lower() not in BOOTSTRAP
        }


def as_text(value: object) -> str:
    """A value as the environment would hold it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class _in_words:  # noqa: N801  (reads as a sentence where it is used)
    """Turns what hvac and its transport raise into one line."""

    def __init__(self, access: VaultAccess, path: str = "") -> None:
        self.address = access.address
        self.secret = f"{access.mount}/{path}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        import hvac  # noqa: PLC0415
        import requests  # noqa: PLC0415

        if isinstance(error, hvac.exceptions.VaultDown):
            raise VaultError(f"Vault at {self.address} is sealed or in maintenance") from None
        if isinstance(error, hvac.exceptions.InvalidPath):
            raise VaultError(f"Vault at {self.address} has no secret {self.secret} (KV v2)") from None
        if isinstance(error, hvac.exceptions.Forbidden | hvac.exceptions.Unauthorized):
            raise VaultError(f"Vault at {self.address} refuses us: token or policy") from None
        if isinstance(error, hvac.exceptions.InvalidRequest):
            raise VaultError(f"Vault at {self.address} refuses the log-in or the request") from None
        if isinstance(error, hvac.exceptions.VaultError):
            raise VaultError(f"Vault at {self.address} failed: {type(error).__name__}") from None
        if isinstance(error, requests.exceptions.RequestException):
            raise VaultError(f"Vault at {self.address} cannot be reached: {type(error).__name__}") from None


# What this process began with, as hashes: a look at Vault tells what has changed since.
_begun_with: dict[str, str] = {}


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def read_at_start(access: VaultAccess) -> dict[str, str]:
    """The values for this process, which are remembered as those that it began with."""
    values = Vault(access).read()
    _begun_with.clear()
    _begun_with.update({name: digest(value) for name, value in values.items()})
    return values


@functools.cache
def connected(access: VaultAccess) -> Vault:
    """The client that a worker keeps."""
    return Vault(access)


def changed_since_start(access: VaultAccess) -> list[str]:
    """Names whose value in Vault is no longer the one that this process runs with."""
    vault = connected(access)
    vault.keep_alive()
    now = {name: digest(value) for name, value in vault.read().items()}
    return sorted(
        name.upper() for name in now.keys() | _begun_with.keys() if now.get(name) != _begun_with.get(name)
    )

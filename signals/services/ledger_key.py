"""The key that signs the ledger's heads: Ed25519, kept outside the database."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

SEED_BYTES = 32


class LedgerKeyMissingError(Exception):
    """Nothing can be signed here; the message says which setting is missing."""


def signing_key() -> Ed25519PrivateKey:
    """From LEDGER_SIGNING_KEY; in development, without it, from a file that the first call makes.

    Raises LedgerKeyMissingError in production without the setting.
    """
    if settings.LEDGER_SIGNING_KEY:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(settings.LEDGER_SIGNING_KEY))
    if settings.PRODUCTION:
        raise LedgerKeyMissingError("LEDGER_SIGNING_KEY is not set: no head of the ledger can be signed")
    return Ed25519PrivateKey.from_private_bytes(_kept_seed(settings.STATE_DIR / "ledger-signing-key"))


def public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def _kept_seed(file: Path) -> bytes:
    """Of two processes that come first at once, one makes the file and both read it."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        own = file.with_name(f"{file.name}.{os.getpid()}")
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
            made.write(secrets.token_hex(SEED_BYTES))
        try:
            os.link(own, file)
        except FileExistsError:
            pass  # the other one was quicker
        finally:
            own.unlink()
    return bytes.fromhex(file.read_text().strip())

"""What an API key looks like, and what of it is kept."""

import hashlib
from enum import StrEnum

MARK = "copilot_"
# Enough to tell keys apart in a list; the rest is the secret.
SHOWN = len(MARK) + 6


class ApiScope(StrEnum):
    READ = "read"
    TRADE = "trade"
    TRAIN = "train"


def key_of(secret: str) -> str:
    """The mark lets scanners of leaked secrets find it."""
    return MARK + secret


def key_hash(key: str) -> str:
    """A key is 256 random bits: one round of SHA-256 is as good as many."""
    return hashlib.sha256(key.encode()).hexdigest()

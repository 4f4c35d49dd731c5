"""The only code that decrypts an API key."""

import json

from cryptography.fernet import InvalidToken

from autopilot.models import ExchangeKey
from autopilot.services.live.keys import Credentials, encryption, wrong_key


def credentials_of(row: ExchangeKey) -> Credentials:
    """ApiKeyError under a wrong encryption key, never ciphertext."""
    try:
        api_key, api_secret = json.loads(encryption().decrypt(row.ciphertext))
    except InvalidToken as error:
        raise wrong_key(row) from error
    return Credentials(api_key, api_secret)

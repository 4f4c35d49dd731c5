"""What production refuses to start with. Each process is asked only for what it needs: it is given nothing else."""

import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

if TYPE_CHECKING:
    from copilot_project.config import Configuration

PLACEHOLDER = re.compile(
    r"^(change[-_ ]?me.*|your[-_ ].*|placeholder.*|secret|password|example.*|xxx+|<.*>|)$", re.I
)
LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$)")
DEVELOPMENT_SECRET = "development-only-secret-that-production-refuses-to-start-with"  # noqa: S105
SANDBOX_BOT_TOKEN = "100200300:SANDBOX-token-for-loopback-only"  # noqa: S105
SANDBOX_WEBHOOK_SECRET = "sandbox-webhook-secret"  # noqa: S105
SANDBOX_KEY_SECRET = "c2FuZGJveC1vbmx5LWtleS10aGF0LWlzLW5vLXNlY3I="  # noqa: S105
SANDBOX_SENTIMENT_KEY = "sandbox-sentiment-key"
FEWEST_CHARACTERS = 5  # different ones, in a secret

Process = Literal["", "web", "worker", "training-worker", "beat", "sender", "executor", "migrate"]
LEAST_LENGTH = {
    "secret_key": 50,
    "metrics_token": 16,
    "telegram_bot_token": 30,
    "telegram_webhook_secret": 16,
    "google_client_secret": 8,
}
NEEDS: dict[Process, tuple[str, ...]] = {
    "": (*LEAST_LENGTH, "database_url", "redis_url", "cache_url"),
    "web": (
        "secret_key",
        "metrics_token",
        "telegram_webhook_secret",
        "google_client_secret",
        "database_url",
        "redis_url",
        "cache_url",
    ),
    # The worker answers in chats, and `manage.py set_webhook` is run beside it.
    "worker": ("telegram_bot_token", "telegram_webhook_secret", "database_url", "redis_url"),
    "training-worker": ("database_url", "redis_url"),
    "beat": ("database_url", "redis_url"),
    "sender": ("telegram_bot_token", "database_url"),
    "executor": ("executor_database_url",),
    "migrate": ("database_url", "database_owner_url", "executor_database_url"),
}


def problems_of(config: "Configuration") -> list[str]:
    """Everything that is wrong, in words that hold no value."""
    needed = NEEDS[config.copilot_process]
    problems = [
        f"{name.upper()} is {state}"
        for name, least in LEAST_LENGTH.items()
        if name in needed and (name != "google_client_secret" or config.admin_emails)
        if (state := secret_state(getattr(config, name), least=least))
    ]
    if config.ledger_signing_key and (state := secret_state(config.ledger_signing_key, least=64)):
        problems.append(f"LEDGER_SIGNING_KEY is {state}")
    problems += problems_of_live(config)
    services = [name for name in needed if name.endswith("_url")]
    problems += [
        f"{name.upper()} {state}" for name in services if (state := service_state(getattr(config, name)))
    ]
    if config.broker_url and (state := service_state(config.broker_url)):
        problems.append(f"BROKER_URL {state}")
    if config.cache_url and config.cache_url == config.redis_url:
        problems.append("CACHE_URL is REDIS_URL: the cache evicts, the broker must not")
    if config.copilot_crash_at:
        problems.append("COPILOT_CRASH_AT is set: it ends processes, for tests")
    if config.google_issuer_url:
        problems.append("GOOGLE_ISSUER_URL is set: whoever stands in for Google lets anybody in")
    for name in ("telegram_api_url", "exchange_api_url", "xai_api_url", "finnhub_api_url"):
        if (getattr(config, name) or "").startswith("http://"):
            problems.append(f"{name.upper()} must begin with https://")
    if (
        config.vault_addr
        and config.vault_addr.startswith("http://")
        and not LOOPBACK.match(config.vault_addr)
    ):
        problems.append("VAULT_ADDR must begin with https://, but on this machine")
    if config.copilot_process in {"", "web"}:
        problems += problems_of_login(config)
    return problems


def problems_of_live(config: "Configuration") -> list[str]:
    """Of what encrypts the API keys of exchanges."""
    secrets = config.exchange_key_secrets.get_secret_value().split(",") if config.exchange_key_secrets else []
    published = any(key.strip() == SANDBOX_KEY_SECRET or PLACEHOLDER.match(key.strip()) for key in secrets)
    problems = ["EXCHANGE_KEY_SECRETS holds a placeholder"] if published else []
    if config.live_trading_allowed and not secrets:
        problems.append("LIVE_TRADING_ALLOWED is on and EXCHANGE_KEY_SECRETS is missing")
    return problems


def problems_of_login(config: "Configuration") -> list[str]:
    """Of the process that strangers reach."""
    problems = []
    if not config.public_url.startswith("https://"):
        problems.append("PUBLIC_URL must begin with https://")
    if any("*" in host for host in config.allowed_hosts):
        problems.append("ALLOWED_HOSTS holds *: name the hosts")
    if anybodys := [host for host in config.allowed_hosts if host.startswith(".") and "." not in host[1:]]:
        problems.append(f"ALLOWED_HOSTS holds {anybodys[0]}: name the hosts")
    if not config.admin_emails and not config.password_login:
        problems.append("ADMIN_EMAILS is empty and PASSWORD_LOGIN is off: nobody could log in")
    return problems


def secret_state(secret: SecretStr | None, *, least: int) -> str | None:
    """What is wrong with a production secret, in words; None when nothing is."""
    value = secret.get_secret_value() if secret else ""
    if value in {"", DEVELOPMENT_SECRET}:
        return "missing"
    if PLACEHOLDER.match(value) or value in {SANDBOX_BOT_TOKEN, SANDBOX_WEBHOOK_SECRET}:
        return "a placeholder"
    if len(value) < least:
        return f"too short (at least {least} characters)"
    if len(set(value)) < FEWEST_CHARACTERS:
        return "one that can be guessed: the same few characters again and again"
    return None


def service_state(url: str | None) -> str | None:
    """What is wrong with a production service's URL, in words; None when nothing is."""
    if not url:
        return "is missing"
    password = unquote(urlsplit(url).password or "")
    if not password:
        return "has no password"
    if PLACEHOLDER.match(password):
        return "has a placeholder as its password"
    if len(set(password)) == 1:
        return "has one letter, again and again, as its password"
    return None

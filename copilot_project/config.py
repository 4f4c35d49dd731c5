"""Typed environment: every value that an operator may set, checked at start.

Each field is explained in `.env.example`. The environment wins, and `.env`, which is made into one; then Vault
(`vault.py`), then a file of that name in `SECRETS_DIR` (as Docker and Kubernetes mount them).
"""

import os
import re
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from copilot_project.production import (
    DEVELOPMENT_SECRET,
    NEEDS,
    PLACEHOLDER,
    SANDBOX_BOT_TOKEN,
    SANDBOX_KEY_SECRET,
    SANDBOX_SENTIMENT_KEY,
    SANDBOX_WEBHOOK_SECRET,
    Process,
    problems_of,
)
from copilot_project.vault import (
    BOOTSTRAP,
    DEFAULT_MOUNT,
    DEFAULT_PATH,
    DEFAULT_TIMEOUT_SECONDS,
    VaultAccess,
    VaultError,
    access_from,
    read_at_start,
)
from signals.crash_points import parse
from signals.engine.sentiment import SentimentSource

TELEGRAM_API_URL = "https://api.telegram.org"
XAI_API_URL, FINNHUB_API_URL = "https://api.x.ai", "https://finnhub.io"

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class VaultSource(PydanticBaseSettingsSource):
    """What Vault says, where environment or `.env` name one."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("values come all at once")

    def __call__(self) -> dict[str, Any]:
        access = access_from(self.current_state)
        values = read_at_start(access) if access else {}
        return {name: values[name] for name in self.settings_cls.model_fields if values.get(name)}


class Configuration(BaseSettings):
    """What the environment says, with development defaults that speak to the sandbox only."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    copilot_env: Literal["development", "production"] = "development"
    copilot_process: Process = ""
    code_version: str = Field(default="", max_length=40)
    secret_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    public_url: str = "http://127.0.0.1:8000"
    allowed_hosts: CommaSeparated = ("127.0.0.1", "localhost", "[::1]")
    trusted_proxy_count: int | None = Field(default=None, ge=0, le=5)
    database_url: str | None = None
    database_owner_url: str | None = None
    executor_database_url: str | None = None
    redis_url: str | None = None
    broker_url: str | None = None
    cache_url: str | None = None

    sandbox: bool | None = None
    sandbox_port: int = Field(default=8900, ge=1, le=65535)
    web_port: int = Field(default=8000, ge=1, le=65535)
    worker_metrics_port: int = Field(default=9808, ge=1, le=65535)
    sender_metrics_port: int = Field(default=9809, ge=1, le=65535)
    metrics_token: SecretStr | None = None

    telegram_bot_token: SecretStr | None = None
    telegram_bot_username: str = "copilot_signals_bot"
    telegram_api_url: str | None = None
    telegram_webhook_secret: SecretStr | None = None
    staff_chat_ids: Annotated[tuple[int, ...], NoDecode] = ()
    telegram_stars: bool | None = None
    telegram_paid_broadcast_per_second: int = Field(default=0, ge=0, le=1000)

    ledger_signing_key: SecretStr | None = None
    ledger_head_chat_id: int | None = None
    ledger_git_remote: str = ""

    exchange_api_url: str | None = None
    market_providers: CommaSeparated = ("binance",)
    policy_votes: bool = True
    selector_votes: bool = True

    sentiment_sources: CommaSeparated = ("xai_responses", "finnhub_news")
    sentiment_calls_per_day: int = Field(default=300, ge=0)
    sentiment_usd_per_day: float = Field(default=2.0, ge=0)
    serve_sentiment: bool = False
    xai_api_key: SecretStr | None = None
    xai_api_url: str | None = None
    xai_model: str = "grok-4.3"
    finnhub_api_key: SecretStr | None = None
    finnhub_api_url: str | None = None

    live_trading_allowed: bool | None = None
    exchange_key_secrets: SecretStr | None = None
    live_no_evidence_seconds: float = Field(default=600.0, ge=1)
    live_call_timeout_ms: int = Field(default=10_000, ge=100, le=60_000)

    admin_emails: CommaSeparated = ()
    password_login: bool | None = None
    second_factor_required: bool = False
    google_client_id: str = ""
    google_client_secret: SecretStr = SecretStr("")
    google_issuer_url: str | None = None

    vault_addr: str | None = None
    vault_token: SecretStr | None = None
    vault_role_id: str = ""
    vault_secret_id: SecretStr | None = None
    vault_namespace: str = ""
    vault_mount: str = DEFAULT_MOUNT
    vault_path: str = DEFAULT_PATH
    vault_timeout_seconds: float = Field(default=DEFAULT_TIMEOUT_SECONDS, gt=0, le=60)

    log_json: bool | None = None
    copilot_crash_at: str = ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            VaultSource(settings_cls),
            file_secret_settings,
        )

    @field_validator(
        *("allowed_hosts", "market_providers", "sentiment_sources", "admin_emails", "staff_chat_ids"),
        mode="before",
    )
    @classmethod
    def split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("sentiment_sources")
    @classmethod
    def require_known_sources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = [source.value for source in SentimentSource]
        if unknown := [each for each in value if each not in known]:
            raise ValueError(f"{', '.join(unknown)}: sources of sentiment are {', '.join(known)}")
        return value

    @field_validator(
        *("public_url", "telegram_api_url", "exchange_api_url", "google_issuer_url", "vault_addr"),
        *("xai_api_url", "finnhub_api_url"),
    )
    @classmethod
    def require_http_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} must begin with http:// or https://")
        return value.rstrip("/") if value else value

    @field_validator("telegram_webhook_secret")
    @classmethod
    def require_telegram_alphabet(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value.get_secret_value()):
            raise ValueError("Telegram allows 1 to 256 of A-Z, a-z, 0-9, _ and - in the webhook secret")
        return value

    @field_validator("ledger_signing_key")
    @classmethod
    def require_seed(cls, value: SecretStr | None) -> SecretStr | None:
        seed = value.get_secret_value() if value else ""
        # A placeholder is told with all the others, by name, where production refuses them.
        if seed and not PLACEHOLDER.match(seed) and not re.fullmatch(r"[0-9a-f]{64}", seed):
            raise ValueError("an Ed25519 key is 64 hex letters: openssl rand -hex 32")
        return value

    @field_validator("exchange_key_secrets")
    @classmethod
    def require_fernet_keys(cls, value: SecretStr | None) -> SecretStr | None:
        for key in value.get_secret_value().split(",") if value else ():
            if not PLACEHOLDER.match(key.strip()) and not re.fullmatch(r"[A-Za-z0-9_-]{43}=", key.strip()):
                raise ValueError("each is 32 bytes in url-safe base64: see .env.example for how to make one")
        return value

    @field_validator("copilot_crash_at")
    @classmethod
    def require_crash_point(cls, value: str) -> str:
        parse(value)
        return value

    @model_validator(mode="after")
    def fill_defaults(self) -> Self:
        development = self.copilot_env == "development"
        if self.sandbox is None:
            self.sandbox = development
        if self.password_login is None:
            self.password_login = development
        if (
            self.ledger_signing_key
            and PLACEHOLDER.match(self.ledger_signing_key.get_secret_value())
            and development
        ):
            self.ledger_signing_key = None
        if self.log_json is None:
            self.log_json = not development
        if not development and "secret_key" not in NEEDS[self.copilot_process]:
            self.secret_key = SecretStr(secrets.token_urlsafe(64))  # nothing is signed there
        if self.trusted_proxy_count is None:
            self.trusted_proxy_count = 0 if development else 1
        if self.sandbox:
            self._speak_to_the_sandbox()
        self.telegram_api_url = self.telegram_api_url or TELEGRAM_API_URL
        self.xai_api_url = self.xai_api_url or XAI_API_URL
        self.finnhub_api_url = self.finnhub_api_url or FINNHUB_API_URL
        return self

    def _speak_to_the_sandbox(self) -> None:
        """A real bot token given in development goes to the real Telegram; everything else stays on loopback."""
        sandbox_url = f"http://127.0.0.1:{self.sandbox_port}"
        if self.telegram_bot_token is None:
            self.telegram_bot_token = SecretStr(SANDBOX_BOT_TOKEN)
            self.telegram_api_url = self.telegram_api_url or sandbox_url
        if self.telegram_webhook_secret is None and self.telegram_api_url:
            self.telegram_webhook_secret = SecretStr(SANDBOX_WEBHOOK_SECRET)
        if self.exchange_api_url is None:
            self.exchange_api_url = f"{sandbox_url}/binance"
            if self.live_trading_allowed is None:
                self.live_trading_allowed = True  # nothing leaves this machine
            self.exchange_key_secrets = self.exchange_key_secrets or SecretStr(SANDBOX_KEY_SECRET)
        if self.xai_api_key is None and self.xai_api_url is None:
            self.xai_api_key, self.xai_api_url = SecretStr(SANDBOX_SENTIMENT_KEY), f"{sandbox_url}/xai"
        if self.finnhub_api_key is None and self.finnhub_api_url is None:
            self.finnhub_api_key = SecretStr(SANDBOX_SENTIMENT_KEY)
            self.finnhub_api_url = f"{sandbox_url}/finnhub"
        if self.google_issuer_url is None and not self.google_client_id:
            self.google_client_id = "sandbox-client"
            self.google_client_secret = SecretStr("sandbox-client-secret")
            self.google_issuer_url = f"{sandbox_url}/google"

    @model_validator(mode="after")
    def refuse_published_webhook_secret(self) -> Self:
        """Everybody can read the sandbox's; with a real bot it would let anybody speak as Telegram."""
        secret = self.telegram_webhook_secret
        is_real = self.copilot_env == "development" and self.telegram_api_url == TELEGRAM_API_URL
        if is_real and secret == SecretStr(SANDBOX_WEBHOOK_SECRET):
            raise ValueError("TELEGRAM_WEBHOOK_SECRET is a placeholder: with a real bot make one of your own")
        return self

    @model_validator(mode="after")
    def refuse_unsafe_production(self) -> Self:
        if self.copilot_env != "production":
            return self
        if self.sandbox:
            raise ValueError(
                "SANDBOX must be off in production: nobody may receive simulated signals as real"
            )
        if problems := problems_of(self):
            raise ValueError("refusing to start in production: " + "; ".join(problems))
        return self

    def vault_access(self) -> VaultAccess | None:
        return access_from({name: getattr(self, name) for name in BOOTSTRAP})


def load_configuration() -> Configuration:
    """What the environment says. SystemExit with one line for each thing that is wrong, never with a value."""
    try:
        return Configuration(_secrets_dir=os.environ.get("SECRETS_DIR"))
    except VaultError as error:
        raise SystemExit(f"No settings from Vault: {error}.") from None
    except ValidationError as error:
        problems = [describe(problem) for problem in error.errors()]
    raise SystemExit(
        "\n".join([*problems, "Settings are wrong: see .env.example, which explains each line."])
    )


def describe(problem: ErrorDetails) -> str:
    name = ".".join(str(part) for part in problem["loc"]).upper()
    return f"{name + ': ' if name else ''}{problem['msg'].removeprefix('Value error, ')}"


BASE_DIR = Path(__file__).resolve().parent.parent

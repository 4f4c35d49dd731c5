"""What one sandbox process is started with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from copilot_project.config import SANDBOX_BOT_TOKEN

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
DEFAULT_TOKEN = SANDBOX_BOT_TOKEN

TimeMode = Literal["shifted", "recorded"]


class SandboxError(Exception):
    """The sandbox cannot start as asked; the text says what to do."""


@dataclass(frozen=True)
class SendLimits:
    """Telegram's limits: messages per second overall (and a tolerance) and per chat (and a small burst)."""

    per_second: int = 30
    tolerance: int = 3
    per_chat_second: float = 1.0
    chat_burst: int = 2


@dataclass(frozen=True)
class SandboxConfig:
    """Settings of one sandbox; `data` None: simulated market; `shift_days` None: chosen.

    With `tls` a second port speaks HTTPS, by a certificate of its own in the state.
    With `record_calls` the state holds each call of the Bot API, refused ones too, in `calls.jsonl`.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 0
    data: Path | None = None
    time_mode: TimeMode = "shifted"
    start_ms: int | None = None
    shift_days: int | None = None
    seed: int = 7
    webhook_url: str = ""
    webhook_secret: str = ""
    token: str = DEFAULT_TOKEN
    limits: SendLimits | None = field(default_factory=SendLimits)
    record_calls: bool = False
    tls: bool = False
    weight_limit: int = 6000
    accounts: tuple[str, ...] = ("admin@example.com",)

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK_HOSTS:
            raise SandboxError(f"--host {self.host}: the sandbox listens on loopback only; use 127.0.0.1.")

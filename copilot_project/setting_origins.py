"""Which source gave which setting, without showing what is secret."""

import os
import re
from dataclasses import dataclass

from pydantic import SecretStr
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, SecretsSettingsSource

from copilot_project.config import Configuration
from copilot_project.vault import Vault

MASK = "********"
# No secrets, but they tell who people are.
PERSONAL = {"admin_emails", "vault_role_id"}
PASSWORD = re.compile(r"(?<=://)([^/@\s]*)@")


@dataclass(frozen=True)
class Origin:
    """One setting: its name, its value fit to be shown, and where it came from."""

    name: str
    shown: str
    source: str


def origins(config: Configuration) -> list[Origin]:
    """Of every setting, in the order of `config.py`; the sources are asked again, as at the start."""
    found: dict[str, str] = {}
    for source, names in _sources(config):
        for name in names:
            found.setdefault(name, source)
    return [
        Origin(
            name=name.upper(),
            shown=shown(name, getattr(config, name)),
            source=found.get(name, _unset(config, name)),
        )
        for name in Configuration.model_fields
    ]


def _sources(config: Configuration) -> list[tuple[str, set[str]]]:
    """The strongest first."""
    kind = type(config)
    sources = [("environment", set(EnvSettingsSource(kind)())), (".env", set(DotEnvSettingsSource(kind)()))]
    if access := config.vault_access():
        by_path: dict[str, set[str]] = {}
        for name, path in Vault(access).origins().items():
            by_path.setdefault(path, set()).add(name)
        sources += [(f"vault {access.mount}/{path}", names) for path, names in by_path.items()]
    if folder := os.environ.get("SECRETS_DIR"):
        sources.append((f"file in {folder}", set(SecretsSettingsSource(kind, secrets_dir=folder)())))
    return sources


def _unset(config: Configuration, name: str) -> str:
    plain = Configuration.model_fields[name].get_default()
    return "default" if getattr(config, name) == plain else f"default of {config.copilot_env}"


def shown(name: str, value: object) -> str:
    """Secrets are masked whole, passwords in URLs, and what names people or chats."""
    if value is None or value in {"", ()}:
        return "(empty)"
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else "(empty)"
    if name in PERSONAL or "chat_id" in name:
        return MASK
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return PASSWORD.sub(lambda match: f"{match[1].partition(':')[0]}:{MASK}@", text)

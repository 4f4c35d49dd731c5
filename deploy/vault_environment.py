"""For deploy.sh: what Vault holds, as shell assignments; compose hands the passwords to Postgres, Redis and Grafana.

Reads where Vault is from the environment (VAULT_ADDR and so on), prints only names that are not in the file of the
first argument already. Needs nothing but Python, because it runs before there is an image.
"""

import json
import os
import re
import shlex
import sys
import urllib.error
import urllib.request
from pathlib import Path

NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def ask(path: str, body: dict[str, str] | None = None, token: str = "") -> dict:
    """One answer of Vault, or the end of this program with one line."""
    address = os.environ["VAULT_ADDR"].rstrip("/")
    if not address.startswith(("https://", "http://")):
        sys.exit("VAULT_ADDR must begin with https:// or http://")
    headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
    if token:
        headers["X-Vault-Token"] = token
    if namespace := os.environ.get("VAULT_NAMESPACE"):
        headers["X-Vault-Namespace"] = namespace
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{address}/v1/{path}", data=data, headers=headers)  # noqa: S310
    seconds = float(os.environ.get("VAULT_TIMEOUT_SECONDS") or 5)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        state = "is sealed" if error.code == 503 else f"answers {error.code}"
        sys.exit(f"Vault at {address} {state} to {path}")
    except OSError as error:
        sys.exit(f"Vault at {address} cannot be reached: {type(error).__name__}")


def main() -> None:
    given = Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else ""
    known = set(re.findall(r"^([A-Z_]+)=.", given, re.M))
    token = os.environ.get("VAULT_TOKEN", "")
    if not token:
        role = {
            "role_id": os.environ.get("VAULT_ROLE_ID", ""),
            "secret_id": os.environ.get("VAULT_SECRET_ID", ""),
        }
        token = ask("auth/approle/login", role)["auth"]["client_token"]
    mount = os.environ.get("VAULT_MOUNT") or "secret"
    for path in (os.environ.get("VAULT_PATH") or "copilot").split(","):
        values = ask(f"{mount}/data/{path.strip()}", token=token)["data"]["data"]
        for name, value in values.items():
            upper = name.upper()
            if NAME.fullmatch(upper) and upper not in known and not upper.startswith("VAULT_"):
                text = str(value).lower() if isinstance(value, bool) else str(value)
                print(f"export {upper}={shlex.quote(text)}")


if __name__ == "__main__":
    main()

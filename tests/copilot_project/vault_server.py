"""A stand-in that speaks the part of Vault's HTTP API which we use: KV v2, tokens with a lease, AppRole, namespaces."""

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

ROLE_ID, SECRET_ID, NAMESPACE = "role-1", "s3cret-id-of-the-role", "team/"


class VaultServer(ThreadingHTTPServer):
    """Serves on a free port of loopback; tests read and change its state directly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.secrets: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, float] = {"t0ken-of-the-tests": time.monotonic() + 3600}
        self.lease_seconds = 3600.0
        self.sealed = False
        self.namespace = ""
        self.delay_seconds = 0.0
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *args: Any) -> None:
        """A client that did not wait is what some tests want."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()


class Answer(BaseHTTPRequestHandler):
    server: VaultServer

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        time.sleep(self.server.delay_seconds)
        status, answer = self.decide(path, body)
        written = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def decide(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.server.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if self.headers.get("X-Vault-Namespace", "") != self.server.namespace:
            return 404, {"errors": ["no handler for route"]}
        if path == "/v1/auth/approle/login":
            return self.log_in(body)
        token = self.headers.get("X-Vault-Token", "")
        if self.server.tokens.get(token, 0) < time.monotonic():
            return 403, {"errors": ["permission denied"]}
        return self.tell(path, token)

    def log_in(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if (body.get("role_id"), body.get("secret_id")) != (ROLE_ID, SECRET_ID):
            return 400, {"errors": ["invalid role or secret ID"]}
        return 200, {"auth": self.lease(f"hvs.{uuid.uuid4().hex}")}

    def tell(self, path: str, token: str) -> tuple[int, dict[str, Any]]:
        if path == "/v1/auth/token/lookup-self":
            left = self.server.tokens[token] - time.monotonic()
            whole = self.server.lease_seconds
            return 200, {"data": {"ttl": left, "creation_ttl": whole, "renewable": True}}
        if path == "/v1/auth/token/renew-self":
            return 200, {"auth": self.lease(token)}
        name = path.removeprefix("/v1/secret/data/")
        if name in self.server.secrets:
            return 200, {"data": {"data": self.server.secrets[name], "metadata": {"version": 1}}}
        return 404, {"errors": []}

    def lease(self, token: str) -> dict[str, Any]:
        self.server.tokens[token] = time.monotonic() + self.server.lease_seconds
        return {"client_token": token, "lease_duration": self.server.lease_seconds, "renewable": True}

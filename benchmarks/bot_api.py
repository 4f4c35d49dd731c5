"""A Bot API that accepts everything at once: `python benchmarks/bot_api.py` prints its address.

One asyncio protocol without a framework, so that what is measured is the client. It keeps each form that was
posted; GET /bodies tells them, in order, and forgets them.
"""

import asyncio
import json
import sys

ME = {"id": 1, "is_bot": True, "first_name": "b", "username": "benchmark_bot"}


class BotApi(asyncio.Protocol):
    """HTTP/1.1 with Content-Length, kept alive."""

    bodies: list[str] = []
    messages = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (end := self._seen.find(b"\r\n\r\n")) >= 0:
            head = self._seen[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._seen) < end + 4 + length:
                return
            body, self._seen = self._seen[end + 4 : end + 4 + length], self._seen[end + 4 + length :]
            answer = self._answer(head.split(b" ", 2)[1].decode(), body)
            header = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            self._transport.write(header % len(answer) + answer)

    def _answer(self, path: str, body: bytes) -> bytes:
        if path == "/bodies":
            found, BotApi.bodies = BotApi.bodies, []
            return json.dumps(found).encode()
        if path.endswith("/getme"):
            return json.dumps({"ok": True, "result": ME}).encode()
        BotApi.bodies.append(body.decode())
        BotApi.messages += 1
        return (
            b'{"ok":true,"result":{"message_id":%d,"date":1700000000,"chat":{"id":42,"type":"private",'
            b'"first_name":"X"},"from":{"id":1,"is_bot":true,"first_name":"b"},"text":"hi"}}'
            % BotApi.messages
        )


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(BotApi, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))

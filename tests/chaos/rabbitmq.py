"""A RabbitMQ of one's own: Debian's, on ports and in a folder of this run."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.processes import running
from tests.ports import free_port

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
STARTS_WITHIN = 180.0


@contextmanager
def rabbitmq(state: Path) -> Iterator[str]:
    """Its URL, while it runs."""
    home, port = state / "rabbitmq", free_port()
    home.mkdir()
    environment = {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"copilot{os.getpid()}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    (home / "plugins").write_text("[].\n")
    try:
        with running([str(RABBITMQ)], state / "rabbitmq.log", **environment) as process:
            deadline = time.monotonic() + STARTS_WITHIN
            while not answers(port):
                if not process.lives() or time.monotonic() > deadline:
                    raise RuntimeError(f"RabbitMQ does not start:\n{process.log.read_text()[-2000:]}")
                time.sleep(0.5)
            yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        stop_epmd(environment)  # it stays while a node lives


def answers(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(2)
        if caller.connect_ex(("127.0.0.1", port)):
            return False
        caller.sendall(b"AMQP\x00\x00\x09\x01")
        try:
            return caller.recv(1) == b"\x01"
        except OSError:
            return False


def stop_epmd(environment: dict[str, str]) -> None:
    """Erlang's name server, which RabbitMQ leaves behind; ours has a port of its own."""
    subprocess.run(["epmd", "-kill"], env=os.environ | environment, capture_output=True, check=False)

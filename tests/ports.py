"""TCP ports for processes that a test starts."""

import random
import socket

# Below the range from which the kernel serves whoever asks for any port, and above the well-known ones.
OURS = range(20_000, 32_768)
_chance = random.SystemRandom()  # Hypothesis seeds the common one, the same in every session beside us


def free_port() -> int:
    """A port that nobody listens on, and that the kernel gives to nobody before its process binds it."""
    while True:
        port = _chance.choice(OURS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port

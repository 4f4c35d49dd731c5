"""Which engine code this is: a hash over the sources of every app's `engine/`."""

from functools import cache
from hashlib import sha256

from copilot_project.embedded.state import CHECKOUT


@cache
def engine_version() -> str:
    """16 hexadecimal digits; another comment in one engine file is another version."""
    digest = sha256()
    for source in sorted(CHECKOUT.glob("*/engine/**/*.py")):
        digest.update(f"{source.relative_to(CHECKOUT)}\0".encode())
        digest.update(source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]

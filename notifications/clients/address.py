"""Which addresses of others may be spoken to: everybody's, and in the sandbox this machine's own."""

import ipaddress
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

# Public by its number, and yet a way to an address inside.
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefusedError(Exception):
    """Nothing is sent there, now or later; the text says why."""


def require_allowed_url(url: str, *, loopback: bool) -> None:
    """What the text itself says: scheme, host, and an address where it is written as one."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # which is parsed when it is read
    except ValueError:
        raise AddressRefusedError("this is no address") from None
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise AddressRefusedError("only https is spoken")
    if not host or parts.username is not None or parts.password is not None:
        raise AddressRefusedError("a host is needed, and no name or password")
    with suppress(ValueError):  # a name: its addresses are checked when they are known
        require_allowed(host, loopback=loopback)


def require_allowed(text: str, *, loopback: bool) -> None:
    """AddressRefusedError unless the address is everybody's; ValueError where the text is no address."""
    address: Any = ipaddress.ip_address(text.split("%", maxsplit=1)[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_loopback:
        if loopback:
            return
        raise AddressRefusedError("this machine's own addresses are for the sandbox")
    tunnelled = isinstance(address, ipaddress.IPv6Address) and (
        address.sixtofour or address.teredo or address in NAT64
    )
    if not address.is_global or address.is_multicast or tunnelled:
        raise AddressRefusedError(f"{address} is no public address")

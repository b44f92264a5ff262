"""Where the processes of this machine are reached, by the addresses at which they listen. Pure."""

from ipaddress import ip_address
from typing import Final

from wakequeue.setting_types import Address

#: What listens at all addresses is reached at this machine's own.
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  this is who asks


def reached_at(address: Address) -> Address:
    """Where this machine reaches what listens at an address."""
    host = EVERYWHERE.get(address.host, address.host)
    return Address(f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}")


def beyond_loopback(address: Address) -> bool:
    """Whether more than this machine reaches it."""
    try:
        return not ip_address(address.host).is_loopback
    except ValueError:
        return address.host != "localhost"

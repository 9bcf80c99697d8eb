"""The one address that a user gives, an Azure resource's: which hosts may be named, and which addresses may be met.

The host must be a resource below Microsoft's own domains, so that nobody but Microsoft answers for it; and what it
resolves to must be an address of the public internet, so that a record pointing inwards reaches nothing of ours.
Sources: Microsoft Learn, "Custom subdomain names for Azure AI services" and "Compare Azure Government and global
Azure"; IANA's special-purpose address registries (RFC 6890); RFC 6052 and 8215 for NAT64.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from chalicelib.errors import ServiceError

_SUFFIXES: Final = (
    "openai.azure.com",
    "cognitiveservices.azure.com",
    "services.ai.azure.com",
    "openai.azure.us",
    "cognitiveservices.azure.us",
    "services.ai.azure.us",
    "openai.azure.cn",
    "cognitiveservices.azure.cn",
)
_ENDPOINT: Final = re.compile(
    # One label before the suffix: `privatelink.openai.azure.com` and other names within the zone are no resources.
    r"https://(?P<name>[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.(?P<suffix>"
    + "|".join(re.escape(suffix) for suffix in _SUFFIXES)
    + r")(?::443)?/?",
    re.ASCII | re.IGNORECASE,
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_TUNNELS: Final = tuple(
    # An IPv4 address travels in each: mapped, compatible, local NAT64, 6to4 and Teredo. None is ever a server's.
    IPv6Network(network)
    for network in ("::ffff:0:0/96", "::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)
_PLATFORM: Final = IPv4Address("168.63.129.16")
"""Public by its number, and yet the host agent of every virtual machine in Azure."""


@dataclass(frozen=True, slots=True)
class AzureEndpoint:
    """A resource's host, in small letters. Scheme and port are always https and 443."""

    host: str

    @classmethod
    def parse(cls, text: str, *, param: str) -> AzureEndpoint:
        """Parse what a person pasted. Raises `invalid_azure_endpoint` for everything but a resource's own address."""
        found = _ENDPOINT.fullmatch(text) if len(text) <= 200 else None
        if found is None or found["name"].lower().startswith("xn--"):
            raise ServiceError(
                "invalid_azure_endpoint",
                "This is not the endpoint of an Azure OpenAI resource.",
                param=param,
                fix="Give it as the Azure portal shows it, without a path: https://<resource>.openai.azure.com",
            )
        return cls(f"{found['name']}.{found['suffix']}".lower())


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet's, whatever form it takes; what can't be read is not."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        if parsed in _NAT64:
            # How a network without IPv4 reaches the public internet: what counts is the address within.
            return _is_public_v4(IPv4Address(int(parsed) & 0xFFFFFFFF))
        if any(parsed in network for network in _TUNNELS) or parsed.is_site_local:
            return False
        return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved
    return _is_public_v4(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved and address != _PLATFORM

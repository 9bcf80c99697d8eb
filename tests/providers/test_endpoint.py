"""The endpoint that a user gives, and the addresses that it leads to: what an attacker would try, case by case."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from urllib3.exceptions import SSLError

from chalicelib.bedrock.failures import Unreachable
from chalicelib.errors import ServiceError
from chalicelib.providers.endpoint import AzureEndpoint, is_public
from chalicelib.providers.outgoing import Call, FixedHost, Outgoing, connections_to
from tests.bedrock.far_side import Step

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bedrock.conftest import Start


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://acme.openai.azure.com", "acme.openai.azure.com"),
        ("https://acme.openai.azure.com/", "acme.openai.azure.com"),
        ("https://acme.openai.azure.com:443", "acme.openai.azure.com"),
        ("HTTPS://Acme-1.OpenAI.Azure.com/", "acme-1.openai.azure.com"),
        ("https://acme.cognitiveservices.azure.com", "acme.cognitiveservices.azure.com"),
        ("https://acme.services.ai.azure.com", "acme.services.ai.azure.com"),
        ("https://acme.openai.azure.us", "acme.openai.azure.us"),
        ("https://acme.openai.azure.cn", "acme.openai.azure.cn"),
    ],
)
def test_a_resource_is_taken(text: str, host: str) -> None:
    """As the portal shows it, in the public and the sovereign clouds."""
    assert AzureEndpoint.parse(text, param="endpoint").host == host


REFUSED = {
    "no TLS": "http://acme.openai.azure.com",
    "another scheme": "file:///etc/passwd",
    "no scheme": "acme.openai.azure.com",
    "another port": "https://acme.openai.azure.com:8443",
    "port 443 with zeros": "https://acme.openai.azure.com:0443",
    "an empty port": "https://acme.openai.azure.com:",
    "a path": "https://acme.openai.azure.com/openai/v1",
    "a path that holds the suffix": "https://evil.com/.openai.azure.com",
    "a path with dots": "https://acme.openai.azure.com/../x",
    "a query": "https://acme.openai.azure.com?x=1",
    "a fragment": "https://acme.openai.azure.com#x",
    "the suffix in a fragment": "https://evil.com#.openai.azure.com",
    "the suffix in a query": "https://evil.com?.openai.azure.com",
    "a user": "https://x.openai.azure.com@evil.com",
    "a user before the host": "https://user:pass@acme.openai.azure.com",
    "a backslash": "https://evil.com\\.openai.azure.com",
    "a longer suffix": "https://acme.openai.azure.com.evil.com",
    "a suffix without its dot": "https://acmeopenai.azure.com",
    "the suffix alone": "https://openai.azure.com",
    "an empty label": "https://.openai.azure.com",
    "two labels": "https://a.b.openai.azure.com",
    "a private link": "https://acme.privatelink.openai.azure.com",
    "a trailing dot": "https://acme.openai.azure.com.",
    "a wildcard": "https://*.openai.azure.com",
    "another Azure service": "https://acme.blob.core.windows.net",
    "another Azure zone": "https://acme.azure.com",
    "an address": "https://127.0.0.1",
    "an octal address": "https://0177.0.0.1",
    "a decimal address": "https://2130706433",
    "the metadata address": "https://169.254.169.254",
    "an IPv6 address": "https://[::1]",
    "a mapped address": "https://[::ffff:127.0.0.1]",
    "localhost": "https://localhost",
    "a look-alike letter": "https://acme.opеnai.azure.com",
    "a full-width dot": "https://acme.openai.azure.com\N{FULLWIDTH FULL STOP}evil.com",
    "an ideographic dot": "https://acme\N{IDEOGRAPHIC FULL STOP}openai.azure.com",
    "punycode": "https://xn--acme-9oa.openai.azure.com",
    "a long s for an s": "http\N{LATIN SMALL LETTER LONG S}://acme.openai.azure.com",
    "a Kelvin sign": "https://\N{KELVIN SIGN}.openai.azure.com",
    "a line break": "https://acme.openai.azure.com\r\nHost: evil.com",
    "a line break at the end": "https://acme.openai.azure.com\n",
    "a tab": "https://acme\t.openai.azure.com",
    "a space": "https://acme .openai.azure.com",
    "percent encoding": "https://acme%2eopenai.azure.com",
    "a NUL": "https://acme.openai.azure.com\x00.evil.com",
    "a label of 64 letters": "https://" + "a" * 64 + ".openai.azure.com",
    "ten kilobytes": "https://" + "a" * 10_000 + ".openai.azure.com",
    "nothing": "",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_resource_is_refused(text: str) -> None:
    """Whatever it is, it is refused before any name is looked up, and not repeated."""
    with pytest.raises(ServiceError) as refused:
        AzureEndpoint.parse(text, param="endpoint")

    assert refused.value.code == "invalid_azure_endpoint"
    assert not text or text not in str(refused.value.__dict__)


PUBLIC = ["20.42.1.9", "13.107.6.1", "2603:1030:20c::1", "64:ff9b::142a:0109"]
INWARD = {
    "loopback": "127.0.0.1",
    "another loopback": "127.9.9.9",
    "this host": "0.0.0.0",
    "a class A network": "10.1.2.3",
    "a class B network": "172.16.0.1",
    "a class C network": "192.168.1.1",
    "carrier-grade NAT": "100.64.0.1",
    "link-local": "169.254.1.1",
    "instance metadata": "169.254.169.254",
    "container credentials": "169.254.170.2",
    "Azure's host agent": "168.63.129.16",
    "protocol assignments": "192.0.0.1",
    "documentation": "192.0.2.1",
    "benchmarking": "198.18.0.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 link-local": "fe80::1",
    "IPv6 link-local with a zone": "fe80::1%eth0",
    "IPv6 unique local": "fd00:ec2::254",
    "IPv6 site-local": "fec0::1",
    "IPv6 multicast": "ff02::1",
    "IPv6 documentation": "2001:db8::1",
    "a mapped address": "::ffff:10.0.0.1",
    "a mapped public address": "::ffff:20.42.1.9",
    "a compatible address": "::127.0.0.1",
    "NAT64 of a private address": "64:ff9b::10.0.0.1",
    "NAT64 of metadata": "64:ff9b::a9fe:a9fe",
    "local NAT64": "64:ff9b:1::1",
    "6to4 of a private address": "2002:0a00:0001::1",
    "Teredo": "2001:0:4136:e378::1",
    "no address": "acme.openai.azure.com",
    "an octal address": "0177.0.0.1",
}


@pytest.mark.parametrize("address", INWARD.values(), ids=INWARD.keys())
def test_an_address_that_is_not_on_the_public_internet_is_not_called(address: str) -> None:
    """One such address among several is enough: which of them is used would be the attacker's choice."""
    assert not is_public(address)
    outgoing = Outgoing(resolver=lambda *_: [PUBLIC[0], address])

    with pytest.raises(ServiceError) as refused:
        outgoing.fetch(_call())

    assert refused.value.code == "invalid_azure_endpoint"


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_one(address: str) -> None:
    """NAT64 counts by the address within: networks without IPv4 reach the internet so."""
    assert is_public(address)


def test_a_name_that_does_not_resolve_is_told_as_such() -> None:
    """A resource that does not exist has no address."""
    with pytest.raises(Unreachable) as unreachable:
        Outgoing(resolver=lambda *_: []).fetch(_call())

    assert unreachable.value.kind == "dns"


def _call(host: str = "acme.openai.azure.com") -> Call:
    return Call("azure", "list models", "GET", AzureEndpoint(host), "/x", {"api-key": "secret"}, seconds=2)


class TlsServer:
    """Takes connections, and keeps the name that each asked for and the request."""

    def __init__(self, folder: Path, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.names: list[str | None] = []
        self.requests: list[bytes] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate)
        self._context.sni_callback = lambda _, name, __: self.names.append(name)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                accepted, _ = self._socket.accept()
            except OSError:
                return
            try:
                with accepted, self._context.wrap_socket(accepted, server_side=True) as connection:
                    self.requests.append(connection.recv(65536))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            except OSError:
                continue

    def stop(self) -> None:
        """Take no more connections."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


HOST = "acme.openai.azure.com"


def test_the_address_is_connected_to_and_the_name_is_kept(tmp_path: Path) -> None:
    """Nothing is looked up a second time; the server hears the resource's name, and must have a certificate for it."""
    server = TlsServer(tmp_path, HOST)
    context = ssl.create_default_context(cafile=str(server.certificate))
    pools = urllib3.PoolManager(retries=False, ssl_context=context)
    try:
        connections = connections_to(pools, "127.0.0.1", server.port, HOST)
        answer = connections.urlopen("GET", "/x", headers={"Host": HOST}, redirect=False)
    finally:
        server.stop()

    assert answer.status == 200
    assert server.names == [HOST]
    assert f"Host: {HOST}\r\n".encode() in server.requests[0]
    assert context.check_hostname


def test_a_server_with_another_certificate_gets_no_key(tmp_path: Path) -> None:
    """Whoever answers at the address without being the resource is not spoken to."""
    server = TlsServer(tmp_path, "other.openai.azure.com")
    context = ssl.create_default_context(cafile=str(server.certificate))
    pools = urllib3.PoolManager(retries=False, ssl_context=context)
    try:
        with pytest.raises(SSLError):
            connections_to(pools, "127.0.0.1", server.port, HOST).urlopen("GET", "/x", headers={"api-key": "secret"})
    finally:
        server.stop()

    assert server.requests == []


def test_two_resources_at_one_address_share_no_connection() -> None:
    """Many resources have one address; a kept connection was proven for one name alone."""
    pools = urllib3.PoolManager()

    assert connections_to(pools, "20.42.1.9", 443, HOST) is connections_to(pools, "20.42.1.9", 443, HOST)
    assert connections_to(pools, "20.42.1.9", 443, HOST) is not connections_to(pools, "20.42.1.9", 443, "b" + HOST)


def test_a_redirect_is_not_followed(start: Start) -> None:
    """A redirect would carry the key to another host."""
    target = start()
    far = start(Step(302, headers={"Location": f"{target.url}/stolen"}))
    outgoing = Outgoing(local={HOST: far.url})

    with pytest.raises(Unreachable) as unreachable:
        outgoing.fetch(_call())

    assert unreachable.value.kind == "redirect"
    assert target.requests == []


def test_the_proxy_is_on_the_way_to_fixed_hosts(start: Start) -> None:
    """It is asked for a tunnel, so it sees the host and nothing else."""
    proxy = start(Step(403))
    outgoing = Outgoing(proxy=proxy.url)

    with pytest.raises(Unreachable):
        outgoing.fetch(Call("openai", "list models", "GET", FixedHost("api.openai.com"), "/v1/models", {}, seconds=2))

    assert [(request["method"], request["path"]) for request in proxy.requests] == [("CONNECT", "api.openai.com:443")]


def test_the_proxy_is_not_on_the_way_to_a_resource(start: Start) -> None:
    """A proxy would look the name up again, and be led elsewhere."""
    proxy, far = start(), start()
    outgoing = Outgoing(proxy=proxy.url, local={HOST: far.url})

    assert outgoing.fetch(_call()).status == 200
    assert (len(proxy.requests), len(far.requests)) == (0, 1)

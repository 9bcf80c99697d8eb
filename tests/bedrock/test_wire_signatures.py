"""What the wire sends: addresses and signatures equal to botocore's, and nothing that the environment says."""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import sys
import threading
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.awsrequest
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chalicelib import VERSION
from chalicelib.bedrock.failures import Unreachable
from chalicelib.bedrock.operations import CONVERSE, LIST_FOUNDATION_MODELS, LIST_INFERENCE_PROFILES
from chalicelib.bedrock.regions import REGIONS
from chalicelib.bedrock.signing import Credentials, address, path_segment
from chalicelib.bedrock.wire import Wire
from chalicelib.errors import ServiceError
from tests.bedrock.far_side import FarSide, error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bedrock.conftest import Start

ROOT = Path(__file__).parent.parent.parent
CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "TOKEN/with+chars==")
BODY = {"messages": [{"role": "user", "content": [{"text": "häl日"}]}]}
CALLED = ["us-east-1", "us-gov-west-1", "cn-north-1", "eu-central-1"]
MODELS = [
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "amazon.nova-lite-v1:0",
    "us.anthropic.claude-sonnet-4-20250514-v1:0",
    "meta.llama3-70b-instruct-v1:0:8k",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-sonnet-20240620-v1:0",
    "arn:aws:bedrock:us-east-1:444455556666:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
    "arn:aws:bedrock:us-east-1:444455556666:application-inference-profile/a1b2c3d4e5f6",
    "arn:aws:bedrock:us-east-1:444455556666:provisioned-model/abc123def456",
    "arn:aws:bedrock:us-east-1:444455556666:imported-model/abc123def456",
    "arn:aws:bedrock:us-east-1:444455556666:prompt/ABCDEFGHIJ:1",
    "arn:aws-us-gov:bedrock:us-gov-west-1:444455556666:custom-model-deployment/abc123def456",
    "arn:aws:sagemaker:us-east-1:444455556666:endpoint/my_endpoint-1",
    "modèle-ä/日本:0 x",
    "a+b%2Fc~d*e(f)'g!h@i,j;k=l&m?n#o[p]|q\\r\"s<t>$",
    "a//b",
    "a/../b",
    "./x",
    "%",
    "%3A",
    "\U0001f600",
    "..a",
    "tab\tx\x00\x7f",
]


@pytest.fixture(scope="module")
def far() -> Iterator[FarSide]:
    """Return one far side for all that only asks what was sent."""
    far = FarSide()
    yield far
    far.stop()


class Botocore:
    """A boto3 client that sends nothing: it shows what it would have sent."""

    def __init__(self, service: str, region: str, endpoint: str) -> None:
        untyped: Any = boto3
        self._client: Any = untyped.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=CREDENTIALS.access_key,
            aws_secret_access_key=CREDENTIALS.secret_key,
            aws_session_token=CREDENTIALS.token,
            config=Config(parameter_validation=False, auth_scheme_preference="sigv4"),  # type: ignore[call-arg]  # the stubs lack it
        )
        self._seen: list[Any] = []
        self._client.meta.events.register("before-send", self._grab)

    def _grab(self, request: Any, **_: Any) -> Any:
        self._seen.append(request)
        answer: Any = botocore.awsrequest.AWSResponse(request.url, 200, {}, None)  # type: ignore[arg-type]
        answer._content = b"{}"
        return answer

    def request(self, operation: str, **arguments: Any) -> Any:
        """Return the request that the operation would send."""
        getattr(self._client, operation)(**arguments)
        return self._seen.pop()


@lru_cache
def _botocore(service: str, region: str, endpoint: str) -> Botocore:
    return Botocore(service, region, endpoint)


def _authorization(sent: dict[str, Any], url: str, region: str) -> str:
    """Return the header that botocore's signer makes of what was sent, at the time that was sent with it."""
    headers = {name: text for name, text in sent["headers"].items() if name == "Content-Type"}
    request = AWSRequest(sent["method"], url, data=sent["body"], headers=headers)
    request.headers["X-Amz-Date"] = request.context["timestamp"] = sent["headers"]["X-Amz-Date"]
    request.headers["X-Amz-Security-Token"] = CREDENTIALS.token
    judge = SigV4Auth(CREDENTIALS, "bedrock", region)  # type: ignore[arg-type]
    signature = judge.signature(judge.string_to_sign(request, judge.canonical_request(request)), request)
    signed = judge.signed_headers(judge.headers_to_sign(request))
    return f"AWS4-HMAC-SHA256 Credential={judge.scope(request)}, SignedHeaders={signed}, Signature={signature}"


@pytest.mark.parametrize("region", CALLED)
@pytest.mark.parametrize("model", MODELS)
def test_a_call_is_addressed_and_signed_as_botocore_does(far: FarSide, model: str, region: str) -> None:
    """Same method, address, content type and signature for the same time: botocore is the judge of SigV4."""
    Wire(endpoint=far.url).call(CREDENTIALS, region, CONVERSE, model=model, body=BODY)
    sent = far.requests[-1]
    theirs = _botocore("bedrock-runtime", region, far.url).request("converse", modelId=model, **BODY)

    assert (sent["method"], far.url + sent["path"]) == (theirs.method, theirs.url)
    assert sent["headers"]["Content-Type"] == theirs.headers["Content-Type"].decode()
    assert sent["headers"]["Authorization"] == _authorization(sent, theirs.url, region)


@pytest.mark.parametrize("region", CALLED)
@pytest.mark.parametrize(
    ("operation", "method", "query"),
    [
        (LIST_FOUNDATION_MODELS, "list_foundation_models", {}),
        (LIST_INFERENCE_PROFILES, "list_inference_profiles", {}),
        (LIST_INFERENCE_PROFILES, "list_inference_profiles", {"nextToken": "a b+c/d=~%ä*'", "type": "APPLICATION"}),
    ],
    ids=["models", "profiles", "a page of profiles"],
)
def test_a_list_is_asked_for_as_botocore_does(
    far: FarSide, operation: Any, method: str, query: dict[str, str], region: str
) -> None:
    """A query is encoded as it is signed: a space is %20, as a plus sign would sign otherwise than it is sent."""
    Wire(endpoint=far.url).call(CREDENTIALS, region, operation, query=query)
    sent = far.requests[-1]
    theirs = _botocore("bedrock", region, far.url).request(
        method, **{"typeEquals" if name == "type" else name: text for name, text in query.items()}
    )

    def parts(url: str) -> list[str]:
        path, _, pairs = url.partition("?")
        return [path, *sorted(pairs.split("&"))]

    assert (sent["method"], parts(far.url + sent["path"])) == (theirs.method, parts(theirs.url))
    assert sent["headers"]["Authorization"] == _authorization(sent, theirs.url, region)


def test_an_endpoint_may_have_a_path(far: FarSide) -> None:
    """The path of a local AWS's address stays before that of the call, and is signed."""
    Wire(endpoint=f"{far.url}/base/x").call(CREDENTIALS, "us-east-1", CONVERSE, model="a.b:0", body=BODY)
    sent = far.requests[-1]

    assert sent["path"] == "/base/x/model/a.b%3A0/converse"
    assert sent["headers"]["Authorization"] == _authorization(sent, far.url + sent["path"], "us-east-1")
    assert sent["headers"]["User-Agent"] == f"rolecall/{VERSION}"


@pytest.mark.parametrize("model", ["", ".", ".."])
def test_a_segment_that_climbs_is_no_segment(model: str) -> None:
    """urllib3 would make another path of it."""
    with pytest.raises(ValueError, match="model id"):
        path_segment(model)


@pytest.mark.parametrize("region", ["us-east-1\n", "us-ä-1", "us-east-1.evil.example", "", "xx-nowhere-9"])
def test_a_region_that_no_partition_has_becomes_no_host(far: FarSide, region: str) -> None:
    """Regions are compared as a whole: a text that merely looks like one would choose where a session's token goes."""
    before = len(far.requests)
    for wire in (Wire(), Wire(endpoint=far.url)):
        with pytest.raises(ServiceError) as refused:
            wire.call(CREDENTIALS, region, LIST_FOUNDATION_MODELS)
        assert refused.value.code == "unknown_region"
    assert len(far.requests) == before


def test_hosts_are_botocores() -> None:
    """Service, region and partition data make the host that boto3 calls, for every region of Bedrock."""
    session = boto3.Session()
    untyped: Any = session
    operations = {"bedrock": LIST_FOUNDATION_MODELS, "bedrock-runtime": CONVERSE}
    for region in sorted(REGIONS):
        for service, operation in operations.items():
            theirs = untyped.client(service, region_name=region, aws_access_key_id="x", aws_secret_access_key="y")
            assert address(operation, region, model="m").startswith(f"{theirs.meta.endpoint_url}/")


def test_the_regions_of_bedrock_are_botocores() -> None:
    """The list that explains a silent host is botocore's data; it is renewed with botocore."""
    session = boto3.Session()
    known = {
        region
        for name in session.get_available_partitions()
        for region in session.get_available_regions("bedrock", name)
    }

    assert known == REGIONS


def test_the_environment_reaches_no_call(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Bearer tokens, endpoints, profiles, proxies and keys of the environment change neither address nor signature."""
    (tmp_path / "config").write_text("[profile canary]\nendpoint_url = http://127.0.0.1:1\nregion = eu-west-3\n")
    for name, text in {
        "AWS_BEARER_TOKEN_BEDROCK": "canary",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_BEDROCK": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "canary",
        "AWS_SECRET_ACCESS_KEY": "canary",
        "AWS_SESSION_TOKEN": "canary",
        "AWS_PROFILE": "canary",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_REGION": "eu-west-3",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
        "SSL_CERT_FILE": "/nonexistent",
        "REQUESTS_CA_BUNDLE": "/nonexistent",
        "AWS_CA_BUNDLE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, text)
    far = start()
    Wire(endpoint=far.url).call(CREDENTIALS, "us-east-1", CONVERSE, model=MODELS[0], body=BODY)
    [sent] = far.requests

    assert sent["headers"]["Authorization"] == _authorization(sent, far.url + sent["path"], "us-east-1")
    assert "canary" not in str(sent)
    assert (
        address(CONVERSE, "us-east-1", model="m") == "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"
    )


def _certificate(folder: Path) -> Path:
    """Write a key and a certificate that it signed itself, for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "localhost.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Serve HTTPS with a certificate that AWS's roots do not know; yield address, certificate and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    class Server(HTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing: handshakes fail on purpose here."""

    certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"https://localhost:{server.server_port}", certificate, asked
    server.shutdown()
    server.server_close()


def test_roots_and_session_keys_are_none_of_the_environments(
    impostor: tuple[str, Path, list[str]], tmp_path: Path
) -> None:
    """SSL_CERT_FILE trusts nobody for us, and SSLKEYLOGFILE, which would hand out session keys, stays empty."""
    url, certificate, asked = impostor
    program = (
        "import sys\n"
        "from chalicelib.bedrock.failures import Unreachable\n"
        "from chalicelib.bedrock.signing import Credentials\n"
        "from chalicelib.bedrock.wire import Wire\n"
        "from chalicelib.bedrock.operations import LIST_FOUNDATION_MODELS\n"
        "try:\n"
        "    Wire(endpoint=sys.argv[1]).call(Credentials('a', 'b', 'c'), 'us-east-1', LIST_FOUNDATION_MODELS)\n"
        "except Unreachable as failure:\n"
        "    print(failure.kind)\n"
    )
    keys = tmp_path / "keys"
    environ = {
        "PATH": "/usr/bin:/bin",
        "SSLKEYLOGFILE": str(keys),
        "SSL_CERT_FILE": str(certificate),
        "REQUESTS_CA_BUNDLE": str(certificate),
        "AWS_CA_BUNDLE": str(certificate),
    }
    done = subprocess.run(
        [sys.executable, "-c", program, url], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )

    assert (done.stdout.strip(), done.stderr, asked, keys.exists()) == ("tls", "", [], False)


def test_a_proxy_is_named_and_sees_no_call(start: Start) -> None:
    """Through a proxy AWS is reached by a tunnel: it learns the host, and no token or body before TLS stands."""
    proxy = start(error(403, "ProxyDenied"), error(403, "ProxyDenied"))
    login = proxy.url.replace("http://", "http://user:secret@")
    with pytest.raises(Unreachable) as failed:
        Wire(proxy=login).call(CREDENTIALS, "us-east-1", CONVERSE, model=MODELS[0], body=BODY)

    assert failed.value.kind == "connect"
    assert {(sent["method"], sent["path"]) for sent in proxy.requests} == {
        ("CONNECT", "bedrock-runtime.us-east-1.amazonaws.com:443")
    }
    assert {sent["headers"]["proxy-authorization"] for sent in proxy.requests} == {"Basic dXNlcjpzZWNyZXQ="}
    assert "TOKEN" not in str(proxy.requests)
    assert "AKIDEXAMPLE" not in str(proxy.requests)

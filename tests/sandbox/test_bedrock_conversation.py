"""What Converse and ConverseStream refuse, in AWS's words."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.sandbox.bedrock_world import NOVA, US_HAIKU, BedrockWorld, Customer, Refusal, cases, refusal, said

if TYPE_CHECKING:
    from collections.abc import Iterator

PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(16)
JPEG: Final = b"\xff\xd8\xff\xe0" + bytes(16)
MODEL: Final = "The model returned the following errors: "
NAMES: Final = (
    "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and "
    "square brackets. The name can't contain more than one consecutive whitespace character. Check that the file name "
    "conforms to these restrictions and retry your request."
)


@pytest.fixture(scope="module")
def bedrock() -> Iterator[BedrockWorld]:
    """Give a running local AWS."""
    with BedrockWorld() as world:
        yield world


@pytest.fixture(scope="module")
def customer(bedrock: BedrockWorld) -> Customer:
    """Give one administrator for the module: nothing here changes the account."""
    return bedrock.customer()


@cases("conversations")
def test_a_conversation_is_refused_in_aws_words(customer: Customer, case: dict[str, Any]) -> None:
    """What botocore would let through or never sees, the service refuses with AWS's status, code and text."""
    call = getattr(customer.client("bedrock-runtime"), case["operation"])

    refused = refusal(lambda: call(modelId=case["model"], **case["request"]))

    assert refused == Refusal(case["status"], case["code"], case["message"])


def image(octets: bytes, kind: str = "png") -> dict[str, Any]:
    """Return an image block."""
    return {"image": {"format": kind, "source": {"bytes": octets}}}


def file(name: str, octets: bytes = b"text", kind: str = "txt") -> dict[str, Any]:
    """Return a document block."""
    return {"document": {"format": kind, "name": name, "source": {"bytes": octets}}}


@pytest.mark.parametrize(
    ("blocks", "model", "message"),
    [
        pytest.param(
            [image(JPEG)],
            NOVA,
            MODEL + "The provided image does not match the specified image format.",
            id="mislabelled",
        ),
        pytest.param(
            [image(b"PK\x03\x04")],
            NOVA,
            MODEL + "The provided image does not match the specified image format.",
            id="zip",
        ),
        pytest.param(
            [image(PNG, "jpg")],
            NOVA,
            "1 validation error detected: Value at 'messages.1.member.content.1.member.image.format' failed to satisfy "
            "constraint: Member must satisfy enum value set: [png, jpeg, gif, webp]",
            id="unknown format",
        ),
        pytest.param(
            [image(b"")],
            NOVA,
            "1 validation error detected: Value at 'messages.1.member.content.1.member.image.source.bytes' failed to "
            "satisfy constraint: Member must have length greater than or equal to 1",
            id="no bytes",
        ),
        pytest.param([image(PNG)] * 21, NOVA, "You can't include more than 20 images in a request.", id="21 images"),
        pytest.param(
            [image(PNG + bytes(3_932_160))],
            NOVA,
            MODEL + "messages.0.content.0.image.source: image exceeds 3.75 MB maximum: 3932184 bytes > 3932160 bytes",
            id="large image",
        ),
        pytest.param(
            [image(PNG)],
            "amazon.nova-micro-v1:0",
            "This model doesn't support the image field. Remove image and try again.",
            id="image for a text model",
        ),
        pytest.param([file("a")], NOVA, "A text block must be included when using documents.", id="no text"),
        pytest.param([{"text": "x"}, file("a.txt")], NOVA, NAMES, id="dot in the name"),
        pytest.param([{"text": "x"}, file("a  b")], NOVA, NAMES, id="two spaces in the name"),
        pytest.param(
            [{"text": "x"}, file("a"), file("a")],
            NOVA,
            "Messages can't contain duplicate document names. Rename the document and retry your request.",
            id="one name twice",
        ),
        pytest.param(
            [{"text": "x"}, *(file(f"a{n}") for n in range(6))],
            NOVA,
            "You can't include more than 5 documents in a request.",
            id="6 documents",
        ),
        pytest.param(
            [{"text": "x"}, {"document": {"name": "a", "source": {"text": "plain"}}}],
            NOVA,
            "DocumentSource object at messages.0.content.1.document.source must set one of the following keys: bytes, "
            "s3Location.",
            id="text source without citations",
        ),
        pytest.param(
            [{"text": "x"}, file("a", b"GIF89a", "pdf")], NOVA, MODEL + "The PDF specified was not valid.", id="no pdf"
        ),
    ],
)
def test_a_file_is_refused_in_aws_words(
    customer: Customer, blocks: list[dict[str, Any]], model: str, message: str
) -> None:
    """Formats are told from the bytes; number, size and names are limited."""
    runtime = customer.client("bedrock-runtime")

    refused = refusal(lambda: runtime.converse(modelId=model, messages=[{"role": "user", "content": blocks}]))

    assert refused == Refusal(400, "ValidationException", message)


def test_what_is_in_order_is_taken(customer: Customer) -> None:
    """Images and files of every kind, cache points, a whole tool turn and a prefilled answer pass."""
    runtime = customer.client("bedrock-runtime")
    media = [image(PNG), image(JPEG, "jpeg"), image(b"GIF89a..", "gif"), image(b"RIFF\0\0\0\0WEBP", "webp")]
    files = [file("My report (1) [a]"), file("second_one", b"%PDF-1.7", "pdf")]
    tool = {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}
    use = {"toolUse": {"toolUseId": "a:1.b-c_d", "name": "f", "input": {}}}
    result = {"toolResult": {"toolUseId": "a:1.b-c_d", "content": []}}
    cached = {"cachePoint": {"type": "default", "ttl": "1h"}}

    turns = [
        {"role": "user", "content": [{"text": "look"}, *media, *files, cached]},
        {"role": "assistant", "content": [{"text": "I call."}, use]},
        {"role": "user", "content": [result, {"text": "and?"}]},
        {"role": "assistant", "content": [{"text": "Then"}]},
    ]
    got = runtime.converse(modelId=US_HAIKU, messages=turns, toolConfig={"tools": [tool]})

    assert got["stopReason"] == "end_turn"


class TestWire:
    """Bodies and headers below what boto3 can send or shows."""

    def send(
        self, customer: Customer, path: str, body: bytes, method: str = "POST", region: str = "us-east-1"
    ) -> tuple[int, dict[str, str], bytes]:
        """Sign and send octets as they are."""
        url = f"{customer.url}{path}"
        request = AWSRequest(method=method, url=url, data=body, headers={"Content-Type": "application/json"})
        SigV4Auth(Credentials(*customer.keys), "bedrock", region).add_auth(request)
        connection = http.client.HTTPConnection(customer.url.removeprefix("http://"), timeout=10)
        connection.request(method, path, body, dict(request.headers))
        answer = connection.getresponse()
        octets = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, octets

    @pytest.mark.parametrize(
        "body",
        [b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"messages": 1}', b'{"messages": [{"role": 1}]}'],
        ids=["cut", "list", "text", "not UTF-8", "deep", "number for a list", "number for text"],
    )
    def test_what_is_not_the_operations_json_is_a_serialization_error(self, customer: Customer, body: bytes) -> None:
        """Such a body is the client's mistake: 400, never 500."""
        status, headers, _ = self.send(customer, f"/model/{quote(NOVA, safe='')}/converse", body)

        assert status == 400
        assert headers["x-amzn-errortype"].startswith("SerializationException:")

    def test_text_can_not_choose_the_operation(self, customer: Customer) -> None:
        """A message that looks like a form must not name the operation, which is where moto looks for it."""
        body = json.dumps({"messages": [said("x&Action=ListFoundationModels&Action=GetUser")]}).encode()

        status, _, octets = self.send(customer, f"/model/{quote(NOVA, safe='')}/converse", body)

        assert status == 200
        assert json.loads(octets)["stopReason"] == "end_turn"

    def test_errors_carry_awss_headers_and_keys(self, bedrock: BedrockWorld) -> None:
        """IAM's texts come under `Message`, the service's under `message`, both with type and request id."""
        nobody = bedrock.customer({"Effect": "Deny", "Action": "*", "Resource": "*"})
        namespace = "http://internal.amazon.com/coral/com.amazon.bedrock/"
        path = f"/model/{quote('acme.none-v1:0', safe='')}/converse"
        body = json.dumps({"messages": [said("hi")]}).encode()

        status, headers, denied = self.send(nobody, path, body)
        assert (status, headers["x-amzn-errortype"]) == (403, f"AccessDeniedException:{namespace}")
        assert list(json.loads(denied)) == ["Message"]
        assert headers["x-amzn-requestid"]

        status, headers, invalid = self.send(bedrock.customer(), path, body)
        assert (status, headers["x-amzn-errortype"]) == (400, f"ValidationException:{namespace}")
        assert json.loads(invalid) == {"message": "The provided model identifier is invalid."}
        assert headers["x-amzn-requestid"]

    def test_paths_that_lead_nowhere(self, customer: Customer) -> None:
        """An operation that nobody knows is 404; one that the local AWS lacks is 501."""
        assert self.send(customer, "/model/a/b/converse", b"{}")[0] == 404
        assert self.send(customer, "/custom-models", b"", "GET")[0] == 501

    def test_the_region_is_the_signatures(self, customer: Customer) -> None:
        """The scope of the signature says where a call goes, not the User-Agent."""
        path = f"/foundation-models/{quote('stability.sd3-5-large-v1:0', safe='')}"

        assert self.send(customer, path, b"", "GET", "us-west-2")[0] == 200
        assert self.send(customer, path, b"", "GET", "us-east-1")[0] == 404


def test_answers_fit_the_service_model(customer: Customer) -> None:
    """A fresh botocore reads an answer without leaving out a member that the model requires."""
    shape = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse").output_shape
    tier = {"type": "flex"}
    got = customer.client("bedrock-runtime").converse(modelId=NOVA, messages=[said("hi")], serviceTier=tier)

    assert got["serviceTier"] == tier
    assert shape is not None
    assert set(shape.required_members) <= set(got)
    assert got["ResponseMetadata"]["RequestId"]
    assert got["metrics"]["latencyMs"] >= 1

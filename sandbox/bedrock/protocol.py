"""The wire that both Bedrock services share: REST and JSON, as the service model has it, with Bedrock's own errors.

moto's own parser and router are left out of it: they answer 500 to a body that is not UTF-8 or JSON, take an
operation's name from a user's text that holds `&Action=`, and a region from the User-Agent. Operations are routed by
method and path; those that the sandbox does not have answer 501.
"""

from __future__ import annotations

import json
import re
import socket
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl, unquote

from moto.core.responses import ActionResult, BaseResponse

from sandbox.aws.authentication import Authenticated, AwsError
from sandbox.bedrock.account import ACCOUNTS, BedrockAccount, Place
from sandbox.bedrock.catalog import catalog
from sandbox.bedrock.constraints import checked, service_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moto.core.request import Request

Answer = tuple[int, dict[str, Any], Any]
"""Status, headers and body: text, octets or an iterator of octets, which moto's own type lacks."""

_SCOPE: Final = re.compile(r"Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/", re.ASCII)
_ERROR_NAMESPACE: Final = "http://internal.amazon.com/coral/com.amazon.bedrock/"


@lru_cache(maxsize=4)
def _routes(service: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Return (method, pattern of the raw path, operation); labels are one segment each, as AWS takes them."""
    model = service_model(service)
    rows = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"].split("?")[0]))
        rows.append((http["method"], re.compile(path + "/?"), name))
    return tuple(rows)


class BedrockProtocol(BaseResponse):
    """Base of the two services: subclasses give `BOTO_SERVICE` and `OPERATIONS`, by name, each returning an Answer."""

    BOTO_SERVICE: ClassVar[str]
    OPERATIONS: ClassVar[Mapping[str, Callable[[Any], Answer]]]

    use_raw_body = True

    def __init__(self) -> None:
        super().__init__()
        # moto would parse before anyone is authenticated, and fail on what is not JSON.
        self.automated_parameter_parsing = False
        self.request_id = str(uuid.uuid4())
        self.path_labels: dict[str, str] = {}

    def _dispatch(self, request: Request, full_url: str | None = None, headers: object = None) -> Answer:
        self.setup_class(request, full_url, headers)
        self.socket: socket.socket | None = request.environ.get("werkzeug.socket")
        if self.region not in catalog().regions:
            # AWS has no such endpoint; the nearest that one address for all regions can do is not to answer.
            if self.socket is not None:
                self.socket.shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError(f"Bedrock is not in {self.region}")
        status, answered, body = self.call_action()
        return status, {k: v for k, v in answered.items() if k != "status"}, body

    def get_region_from_url(self, request: Request, full_url: str) -> str:
        """Take the region from the signature's scope: the User-Agent, where moto looks first, is anybody's text."""
        scope = _SCOPE.search(request.headers.get("Authorization", ""))
        return scope[1] if scope else super().get_region_from_url(request, full_url)

    def _get_action(self) -> str:
        raw_path = self.normalized_request.raw_path
        for method, pattern, name in _routes(self.BOTO_SERVICE):
            if method == self.method and (match := pattern.fullmatch(raw_path)):
                self.path_labels = {label: unquote(text) for label, text in match.groupdict().items()}
                return name
        return "UnknownOperation"

    def call_action(self) -> Answer:
        """Run the operation; its AwsError becomes an answer."""
        name = self._get_action()
        operation = self.OPERATIONS.get(name)
        try:
            if name == "UnknownOperation":
                raise AwsError("UnknownOperationException", "", 404)
            if operation is None:
                raise AwsError("NotImplementedException", f"This local AWS does not have {name}.", 501)
            return operation(self)
        except AwsError as error:
            return self.serialized(ActionResult(error))

    def serialized(self, action_result: ActionResult) -> Answer:
        """Return an error as Bedrock does: IAM's texts under `Message`, the service's own under `message`."""
        error = action_result.result
        if not isinstance(error, AwsError):
            raise TypeError(f"an operation of Bedrock returned {type(error).__name__}")
        key = "Message" if error.message.startswith(("User: ", "Authentication failed: ")) else "message"
        status, headers, body = self.answer({key: error.message}, error.status)
        return status, {**headers, "x-amzn-errortype": f"{error.code}:{_ERROR_NAMESPACE}"}, body

    def answer(self, body: Mapping[str, object], status: int = 200) -> Answer:
        """Return a JSON answer."""
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return status, {"content-type": "application/json", "x-amzn-requestid": self.request_id}, text

    @property
    def place(self) -> Place:
        """Partition, region and the caller's account."""
        return Place(self.partition, self.region, self.current_account)

    @property
    def holdings(self) -> BedrockAccount:
        """What the caller's account holds."""
        return ACCOUNTS.of(self.current_account)

    def checked_request(self) -> dict[str, Any]:
        """Return the operation's input, checked as AWS checks it. Raises AwsError, see `constraints.checked`."""
        operation = service_model(self.BOTO_SERVICE).operation_model(self._get_action())
        if operation.input_shape is None:
            return {}
        payload = operation.input_shape.serialization.get("payload")
        query = dict(parse_qsl(self.parsed_url.query, keep_blank_values=True))
        given: dict[str, Any] = {} if payload else self._json_body()
        for name, member in operation.input_shape.members.items():
            location, wire_name = member.serialization.get("location"), member.serialization.get("name", name)
            if location == "uri":
                given[name] = self.path_labels[wire_name]
            elif location == "querystring":
                given[name] = _number_if_asked(query.get(wire_name), member.type_name)
            elif location:
                given[name] = self.headers.get(wire_name)
            elif name == payload:
                given.pop(name, None)
        return checked(self.BOTO_SERVICE, operation.name, given)

    def _json_body(self) -> dict[str, Any]:
        if not self.raw_body:
            return {}
        try:
            body = json.loads(self.raw_body)
        except (ValueError, RecursionError) as error:
            raise AwsError("SerializationException", "The body is not valid JSON in UTF-8.", 400) from error
        if not isinstance(body, dict):
            raise AwsError("SerializationException", "Unexpected value type in payload", 400)
        return body


class BedrockService(Authenticated, BedrockProtocol):
    """A service of Bedrock with its callers known: what the functions of this package are given."""

    SERVICE = "bedrock"


def _number_if_asked(text: str | None, type_name: str) -> str | int | None:
    return int(text) if text and type_name == "integer" and re.fullmatch(r"-?[0-9]{1,10}", text) else text

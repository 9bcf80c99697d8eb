"""What API Gateway is told of the API: its routes, what answers where Lambda does not, what is binary, what is let in.

All of it stands in the packaged CloudFormation template. Without one, the app itself names its routes, and the rest is
as API Gateway has it when nothing is configured.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tools.lambda_emulator.process import Function

BUFFERED_SECONDS: Final = 29.0
"""How long API Gateway waits for an answer that is not streamed, unless a quota was raised."""
STREAM_SECONDS: Final = 900.0

_DEFAULTS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "MISSING_AUTHENTICATION_TOKEN": (403, "Missing Authentication Token"),
        "REQUEST_TOO_LARGE": (413, "Request Too Long"),
        "THROTTLED": (429, "Too Many Requests"),
        "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out"),
        # These two have no type of their own: DEFAULT_5XX gives them their form, and leaves them their status.
        "LAMBDA_FAILED": (502, "Internal server error"),
        "LAMBDA_THROTTLED": (500, "Internal server error"),
    }
)
"""Status and message by the type of a gateway response, as they are when the API configures nothing."""
_REST_API: Final = "AWS::ApiGateway::RestApi"
_STAGE: Final = "AWS::ApiGateway::Stage"
_VARIABLE: Final = re.compile(r"\$context\.([A-Za-z.]+)")
_EXPORT: Final = """
import importlib, json, sys
module, _, name = sys.argv[1].rpartition(".")
app = getattr(importlib.import_module(module), name)
from chalicelib.streaming import STREAM_ROUTES
routes = {path: sorted(methods) for path, methods in app.routes.items()}
print(json.dumps({"routes": routes, "streams": sorted(STREAM_ROUTES), "binary": app.api.binary_types}))
"""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of a path: whether its answer is streamed, and how long API Gateway waits for it."""

    streamed: bool = False
    seconds: float = BUFFERED_SECONDS


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """An answer that Lambda never sees."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Api:
    """An API as it is deployed. `routes` are by declared path and method; `responses` as the template has them."""

    routes: Mapping[str, Mapping[str, Route]]
    responses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    binary_types: frozenset[str] = frozenset()
    rate: float | None = None
    burst: int = 1
    """Requests a second, and at once, that the stage lets in; without a rate all."""

    def match(self, method: str, path: str) -> tuple[str, Route, dict[str, str]] | None:
        """Return declared path, route and parameters (as they were sent), or None; fixed segments win over names."""
        parts = path.split("/")
        found = []
        for resource, methods in self.routes.items():
            route = methods.get(method) or methods.get("ANY")
            names = resource.split("/")
            if route is None or len(names) != len(parts):
                continue
            pairs = list(zip(names, parts, strict=True))
            if all(name == part or (name.startswith("{") and part) for name, part in pairs):
                parameters = {name[1:-1]: part for name, part in pairs if name.startswith("{")}
                found.append(([name.startswith("{") for name in names], resource, route, parameters))
        if not found:
            return None
        _, resource, route, parameters = min(found, key=lambda entry: entry[0])
        return resource, route, parameters

    def answer(self, kind: str, request_id: str) -> GatewayAnswer:
        """Return the gateway response of a type: its own where one is configured, then the default for its class."""
        status, message = _DEFAULTS[kind]
        family = "DEFAULT_4XX" if status < 500 else "DEFAULT_5XX"
        configured = self.responses.get(kind) or self.responses.get(family) or {}
        status = int(configured.get("statusCode") or status)
        values = {
            "requestId": request_id,
            "error.message": message,
            "error.messageString": json.dumps(message),
            "error.responseType": kind,
        }
        templates = configured.get("responseTemplates") or {
            "application/json": '{"message":$context.error.messageString}'
        }
        body = _VARIABLE.sub(lambda match: values.get(match[1], ""), templates["application/json"])
        headers = {"Content-Type": "application/json", "x-amzn-RequestId": request_id, "x-amzn-ErrorType": kind}
        for name, value in (configured.get("responseParameters") or {}).items():
            if not isinstance(value, str):
                continue
            text = value[1:-1] if value.startswith("'") else values.get(value.removeprefix("context."), "")
            headers[name.removeprefix("gatewayresponse.header.")] = text
        return GatewayAnswer(status, headers, body)


def from_template(path: Path) -> Api:
    """Read the API of a packaged CloudFormation template. Raises ValueError where it has none, or several.

    A parameter has its default. What depends on a condition is left out: nothing optional is asked for by default.
    """
    template = json.loads(path.read_text(encoding="utf-8"))
    found = {
        kind: [entry["Properties"] for entry in template["Resources"].values() if entry["Type"] == kind]
        for kind in (_REST_API, _STAGE)
    }
    if len(found[_REST_API]) != 1:
        raise ValueError(f"{path} has {len(found[_REST_API])} REST APIs; one is expected")
    document = found[_REST_API][0]["Body"]
    routes = {
        resource: {
            method.replace("x-amazon-apigateway-any-method", "any").upper(): _route(operation)
            for method, operation in methods.items()
            if isinstance(operation, dict) and "x-amazon-apigateway-integration" in operation
        }
        for resource, methods in document["paths"].items()
    }
    settings = [entry for stage in found[_STAGE] for entry in stage.get("MethodSettings", [])]
    limits: dict[str, Any] = next((entry for entry in settings if entry["HttpMethod"] == "*"), {})
    rate, burst = (_value(limits.get(f"Throttling{name}Limit"), template) for name in ("Rate", "Burst"))
    return Api(
        routes,
        document.get("x-amazon-apigateway-gateway-responses", {}),
        frozenset(document.get("x-amazon-apigateway-binary-media-types", [])),
        rate,
        1 if burst is None else int(burst),
    )


def _value(given: Any, template: Mapping[str, Any]) -> float | None:
    if isinstance(given, dict):
        given = template["Parameters"][given["Ref"]]["Default"]
    return None if given is None else float(given)


def _route(operation: Mapping[str, Any]) -> Route:
    integration = operation["x-amazon-apigateway-integration"]
    streamed = integration.get("responseTransferMode") == "STREAM"
    milliseconds = integration.get("timeoutInMillis")
    default = STREAM_SECONDS if streamed else BUFFERED_SECONDS
    return Route(streamed, milliseconds / 1000 if isinstance(milliseconds, int) else default)


class CannotLoadError(Exception):
    """The app can't be loaded. Its text ends with what the app says of that: settings that it lacks, most often."""

    def __init__(self, handler: str, written: str) -> None:
        # The frames are those of whoever wrote the app; what went wrong stands behind the last of them.
        lines = written.rstrip().split("\n")
        frames = [number for number, line in enumerate(lines) if line.startswith("  File ")]
        said = [line for line in lines[frames[-1] + 1 if frames else 0 :] if not line.startswith("    ")]
        super().__init__(f"{handler} can't be loaded: " + "\n".join(said))


def from_app(function: Function) -> Api:
    """Ask the app in a package for its routes. Raises `CannotLoadError` when it can't be loaded."""
    done = subprocess.run(  # noqa: S603  the package that is asked about
        [function.python, "-c", _EXPORT, function.handler],
        cwd=function.root,
        env=function.environment("127.0.0.1:9"),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotLoadError(function.handler, done.stderr)
    told = json.loads(done.stdout.splitlines()[-1])
    streams = {(method, path) for method, path in told["streams"]}
    return Api(
        {
            path: {
                method: Route(streamed=True, seconds=STREAM_SECONDS) if (method, path) in streams else Route()
                for method in [*methods, "ANY"]
            }
            for path, methods in told["routes"].items()
        },
        binary_types=frozenset(told["binary"]),
    )

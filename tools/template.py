"""From what `chalice package` writes to the stack that is deployed: plain CloudFormation, whole, with nothing hidden.

Chalice writes AWS's SAM, which CloudFormation rewrites when it is deployed: what was linted is not what runs, and SAM
adds things (a public stage named Stage). Chalice needs five kinds of it, so they are written out here. Pure: the same
input gives the same template.
"""

from __future__ import annotations

import hashlib
import json
import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from tools import gateway_responses, parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STREAM_MILLISECONDS: Final = 900_000
"""What API Gateway gives a stream at most; STREAM_MAX_SECONDS ends ours before."""
_STREAMING: Final = (
    "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2021-11-15/functions/${APIHandler.Arn}"
    "/response-streaming-invocations"
)
_MARK: Final = re.compile(r"\$\{([a-z_]+)\}")
_INTEGRATION: Final = "x-amazon-apigateway-integration"
_ANY: Final = "x-amazon-apigateway-any-method"
"""API Gateway developer guide, "x-amazon-apigateway-any-method object": all methods that a path does not name."""
_DEPLOYMENT: Final = "RestAPIDeployment"
_ORIGIN: Final = {"Fn::If": ["SetsAllowedOrigin", {"Fn::Sub": "'${AllowedOrigin}'"}, {"Ref": "AWS::NoValue"}]}
_FOUNDATION_MODEL: Final = {
    "Fn::If": ["NamesFoundationModel", {"Ref": "BuiltInFoundationModel"}, {"Ref": "BuiltInModel"}]
}
_ACCESS_LOG: Final = {
    "at": "$context.requestTimeEpoch",
    "request_id": "$context.requestId",
    "source_ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "ms": "$context.responseLatency",
    "octets": "$context.responseLength",
    "refused_by_gateway": "$context.error.responseType",
}
"""One line for each request: the route as it is declared, no path, query or header, so that no secret gets in."""

Json = dict[str, Any]


class TemplateError(Exception):
    """Chalice wrote something that this module doesn't know; a silent guess would deploy it wrongly."""


def stack(
    sam: Mapping[str, Any],
    policies: Mapping[str, Mapping[str, Any]],
    *,
    stage: str,
    architecture: str,
    runtime: str,
    streams: Iterable[tuple[str, str]],
    wrapper: str | None,
) -> Json:
    """Return the whole stack of a stage.

    `policies` holds the service's policies as policies/ has them, by the resource that each becomes. `streams` are the
    (method, path) whose answers may be streams; `wrapper` is the script in the package that Lambda starts instead of
    its own runtime client.
    """
    template = deepcopy(dict(sam))
    template.pop("Transform", None)
    resources: Json = template.pop("Resources")
    role, table = _role(resources), _table(resources)
    environment = parameters.environment(table, role)
    if wrapper is not None:
        environment["AWS_LAMBDA_EXEC_WRAPPER"] = f"/var/task/{wrapper}"
    common = {
        "Runtime": runtime,
        "Architectures": [architecture],
        "Role": role,
        "Environment": {"Variables": environment},
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": {"Ref": "ServiceLogs"}},
    }
    whole: Json = {}
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            whole.update(_function(name, resource["Properties"], common))
        elif resource["Type"] == "AWS::Serverless::Api":
            whole.update(_api(name, resource["Properties"], streams))
        elif resource["Type"].startswith("AWS::Serverless::"):
            raise TemplateError(f"{name} is {resource['Type']}, which tools/template.py doesn't know.")
        else:
            whole[name] = resource
    for name, document in policies.items():
        whole[name]["Properties"]["PolicyDocument"] = policy(document, stage, table)
    stages = template["Parameters"].pop("Stage") | {"Default": stage, "AllowedValues": [stage]}
    outputs = {name: output for name, output in template["Outputs"].items() if "Description" in output}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": template["Description"],
        "Parameters": {"Stage": stages, **parameters.parameters(), **template["Parameters"]},
        "Conditions": {**template["Conditions"], **parameters.conditions()},
        "Resources": dict(sorted(whole.items())),
        # Chalice's own outputs have no description; ours say the same in the operator's words.
        "Outputs": outputs,
    }


def with_choices(template: Mapping[str, Any], *, origin: str, domain: str) -> Json:
    """Return the template with its deployment named after all that decides the API: CORS origin and domain as well.

    API Gateway serves the API as it was when it was last deployed, and a changed parameter alone deploys nothing. With
    a domain its own address is switched off, which takes effect with the next deployment only (API Gateway developer
    guide, "Disable the default endpoint for REST APIs").
    """
    named = deepcopy(dict(template))
    body = named["Resources"]["RestAPI"]["Properties"]["Body"]
    [old] = [name for name in named["Resources"] if name.startswith(_DEPLOYMENT)]
    new = _deployment_name(body, origin, domain)
    named["Resources"][new] = named["Resources"].pop(old)
    named["Resources"]["RestAPIStage"]["Properties"]["DeploymentId"] = {"Ref": new}
    return named


def policy(document: Mapping[str, object], stage: str, table: object) -> Json:
    """Return a policy of policies/ with CloudFormation's words for its marks. Raises KeyError for another."""
    words = {
        "partition": "${AWS::Partition}",
        "region": "${AWS::Region}",
        "account_id": "${AWS::AccountId}",
        "stage": stage,
        "table_name": "${TableName}",
        "role_name_pattern": "${CustomerRoleNames}",
        "model": "${BuiltInModel}",
        "foundation_model": "${FoundationModel}",
    }
    made = {"TableName": table, "FoundationModel": _FOUNDATION_MODEL}

    def fill(value: object) -> Any:
        if isinstance(value, str):
            text = _MARK.sub(lambda mark: words[mark[1]], value)
            used = {name: value for name, value in made.items() if f"${{{name}}}" in text}
            if used:
                return {"Fn::Sub": [text, used]}
            return {"Fn::Sub": text} if "${" in text else text
        if isinstance(value, list):
            return [fill(entry) for entry in value]
        return {key: fill(entry) for key, entry in value.items()} if isinstance(value, dict) else value

    filled: Json = fill(dict(document))
    return filled


def _role(resources: Mapping[str, Any]) -> Json:
    named = resources["ServiceRole"]["Properties"]["RoleName"]["Fn::Sub"]
    arn = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/" + named
    return {"Fn::If": ["CreateServiceRole", {"Fn::GetAtt": ["ServiceRole", "Arn"]}, {"Fn::Sub": arn}]}


def _table(resources: Mapping[str, Any]) -> Json:
    return {"Fn::If": ["CreateTable", resources["Table"]["Properties"]["TableName"], {"Ref": "ExistingTable"}]}


def _function(name: str, written: Mapping[str, Any], common: Mapping[str, Any]) -> Json:
    properties = {key: value for key, value in written.items() if key not in {"CodeUri", "Events", "Tags", "Tracing"}}
    properties |= {
        **common,
        "Code": {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}},
        "TracingConfig": {"Mode": written["Tracing"]},
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(written["Tags"].items())],
    }
    # A role without its policy would let the function start and fail.
    made: Json = {name: {"Type": "AWS::Lambda::Function", "DependsOn": "ServiceRolePolicy", "Properties": properties}}
    for event, source in written.get("Events", {}).items():
        if source["Type"] != "Schedule":
            raise TemplateError(f"{name} is woken by {source['Type']}, which tools/template.py doesn't know.")
        made[event] = {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "ScheduleExpression": source["Properties"]["Schedule"],
                "Targets": [{"Arn": {"Fn::GetAtt": [name, "Arn"]}, "Id": name}],
            },
        }
        made[f"{event}Permission"] = {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": name},
                "Principal": "events.amazonaws.com",
                "SourceArn": {"Fn::GetAtt": [event, "Arn"]},
            },
        }
    return made


def _api(name: str, written: Mapping[str, Any], streams: Iterable[tuple[str, str]]) -> Json:
    body: Json = deepcopy(written["DefinitionBody"])
    for methods in body["paths"].values():
        # API Gateway's own answer to a method that a path has not is the one to a path that there is not: the service
        # tells them apart, and names the methods. Without its documentation, each is the same integration.
        any_of_them = next(operation for operation in methods.values() if _INTEGRATION in operation)
        methods[_ANY] = {_INTEGRATION: deepcopy(any_of_them[_INTEGRATION])}
    for method, path in streams:
        try:
            integration = body["paths"][path][method.lower()][_INTEGRATION]
        except KeyError:
            raise TemplateError(f"There is no route {method} {path} to be streamed.") from None
        integration |= {
            "uri": {"Fn::Sub": _STREAMING},
            "responseTransferMode": "STREAM",
            "timeoutInMillis": STREAM_MILLISECONDS,
        }
    body["x-amazon-apigateway-gateway-responses"] = gateway_responses.definitions(_ORIGIN)
    deployment = _deployment_name(body, "", "")
    kept = {"Name", "Description", "DisableExecuteApiEndpoint"}
    return {
        name: {
            "Type": "AWS::ApiGateway::RestApi",
            "Properties": {
                **{key: value for key, value in written.items() if key in kept},
                "EndpointConfiguration": {"Types": [written["EndpointConfiguration"]]},
                "Body": body,
            },
        },
        deployment: {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": name}}},
        f"{name}Stage": {
            "Type": "AWS::ApiGateway::Stage",
            # Without the account's role for logs API Gateway refuses a stage that writes them.
            "Properties": {
                "RestApiId": {"Ref": name},
                "DeploymentId": {"Ref": deployment},
                "StageName": written["StageName"],
                "MethodSettings": [
                    {
                        "ResourcePath": "/*",
                        "HttpMethod": "*",
                        "MetricsEnabled": True,
                        "ThrottlingRateLimit": {"Ref": "ThrottleRate"},
                        "ThrottlingBurstLimit": {"Ref": "ThrottleBurst"},
                    }
                ],
                "AccessLogSetting": {
                    "Fn::If": [
                        "WritesAccessLogs",
                        {"DestinationArn": {"Fn::GetAtt": ["AccessLogs", "Arn"]}, "Format": json.dumps(_ACCESS_LOG)},
                        {"Ref": "AWS::NoValue"},
                    ]
                },
            },
        },
    }


def _deployment_name(body: Mapping[str, object], origin: str, domain: str) -> str:
    decided = json.dumps([body, origin, domain], sort_keys=True).encode()
    return _DEPLOYMENT + hashlib.sha256(decided).hexdigest()[:10]

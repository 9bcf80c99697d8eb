"""The stack: what is deployed keeps its promises, and two linters that know AWS find nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.routes.codes import CODES
from chalicelib.streaming import STREAM_ROUTES
from tests.builds import deployed_python
from tools import gateway_responses, parameters, template

if TYPE_CHECKING:
    from sandbox.world import World
    from tools.package import Package

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def stack(deployed: Package) -> dict[str, Any]:
    """Give the stack that is deployed."""
    found: dict[str, Any] = json.loads(deployed.stack.read_text())
    return found


def _of_type(stack: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: row["Properties"] for name, row in stack["Resources"].items() if row["Type"] == kind}


def test_cfn_lint_finds_nothing(deployed: Package) -> None:
    """Neither error nor warning, by CloudFormation's own schemas."""
    done = subprocess.run(
        [sys.executable, "-c", "from cfnlint.runner import main; main()", str(deployed.stack)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_it_is_plain_cloudformation(stack: dict[str, Any]) -> None:
    """What was linted is what is deployed: no transform adds to it."""
    assert "Transform" not in stack
    assert not [row["Type"] for row in stack["Resources"].values() if "Serverless" in row["Type"]]
    assert list(_of_type(stack, "AWS::ApiGateway::Stage")) == ["RestAPIStage"]


def test_all_functions_run_as_the_one_role_in_one_way(stack: dict[str, Any]) -> None:
    """Customers' policies name one role: a function with another would be refused by every one of them."""
    functions = _of_type(stack, "AWS::Lambda::Function")
    assert set(functions) == {"APIHandler", "Reverify"}
    own = {"Description", "Handler", "ReservedConcurrentExecutions"}
    [shared] = {
        json.dumps({key: value for key, value in row.items() if key not in own}, sort_keys=True)
        for row in functions.values()
    }
    common = json.loads(shared)

    assert common["Role"]["Fn::If"][1] == {"Fn::GetAtt": ["ServiceRole", "Arn"]}
    assert _of_type(stack, "AWS::IAM::Role")["ServiceRole"]["RoleName"] == {"Fn::Sub": "rolecall-${Stage}"}
    assert common["Environment"]["Variables"]["SERVICE_ROLE_ARN"] == common["Role"]
    assert (common["Architectures"], common["MemorySize"], common["Timeout"]) == (["arm64"], 1769, 900)
    assert common["Runtime"] == deployed_python().runtime
    assert common["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": "ServiceLogs"}}
    assert _of_type(stack, "AWS::Logs::LogGroup")["ServiceLogs"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    # Chalice makes a role for each function when it is left to itself.
    assert set(_of_type(stack, "AWS::IAM::Role")) == {"ServiceRole", "GatewayLogsRole"}
    assert set(_of_type(stack, "AWS::IAM::Policy")) == {"ServiceRolePolicy", "BuiltInModelPolicy"}


def test_in_a_second_region_the_first_ones_role_gets_this_regions_table(stack: dict[str, Any]) -> None:
    """IAM has no regions: the role is made once, under its fixed name, and given one policy for each region."""
    assert stack["Resources"]["ServiceRole"]["Condition"] == "CreateServiceRole"
    policy = stack["Resources"]["ServiceRolePolicy"]
    assert "Condition" not in policy
    [role] = policy["Properties"]["Roles"]
    assert role["Fn::If"][1:] == [
        {"Ref": "ServiceRole"},
        {"Fn::Sub": "rolecall-${Stage}"},
    ]
    assert policy["Properties"]["PolicyName"] == {"Fn::Sub": "rolecall-${AWS::Region}"}


def test_the_roles_policy_is_the_file_of_policies(stack: dict[str, Any]) -> None:
    """What security people read in policies/ is what is deployed, statement by statement."""
    written = json.loads((ROOT / "policies/service-role.json").read_text())
    deployed = stack["Resources"]["ServiceRolePolicy"]["Properties"]["PolicyDocument"]
    assert [row["Sid"] for row in deployed["Statement"]] == [row["Sid"] for row in written["Statement"]]
    for ours, theirs in zip(deployed["Statement"], written["Statement"], strict=True):
        assert (ours["Action"], ours["Effect"]) == (theirs["Action"], theirs["Effect"])

    text = json.dumps(deployed)
    assert "rolecall-prod:log-stream:*" in text
    assert not re.findall(r"\$\{(?!AWS::|Stage\}|TableName\}|CustomerRoleNames\})[^}]*\}", text)
    with pytest.raises(KeyError, match="unheard_of"):
        template.policy({"Statement": [{"Resource": "${unheard_of}"}]}, "prod", "t")


def test_the_built_in_models_policy_is_there_with_the_model_alone(stack: dict[str, Any]) -> None:
    """Without BUILT_IN_MODEL the service's role has no action of Bedrock's at all."""
    resource = stack["Resources"]["BuiltInModelPolicy"]
    [statement] = resource["Properties"]["PolicyDocument"]["Statement"]

    assert resource["Condition"] == "SetsBuiltInModel"
    assert "${BuiltInModel}" in json.dumps(statement["Resource"])
    assert "bedrock" not in json.dumps(stack["Resources"]["ServiceRolePolicy"])


def test_the_table_is_the_one_that_the_service_was_tested_with(stack: dict[str, Any], world: World) -> None:
    """Keys and index of the stack's table are those of the sandbox's, in which all tests run."""
    dynamodb = world.accounts.operator.session("us-east-1").client("dynamodb", endpoint_url=world.aws.url)
    tested = dynamodb.describe_table(TableName=world.settings.table_name)["Table"]
    declared = _of_type(stack, "AWS::DynamoDB::Table")["Table"]

    def by_name(rows: Any) -> list[Any]:
        return sorted(rows, key=lambda row: str(row["AttributeName"]))

    assert declared["KeySchema"] == tested["KeySchema"]
    assert by_name(declared["AttributeDefinitions"]) == by_name(tested["AttributeDefinitions"])
    [index], [theirs] = declared["GlobalSecondaryIndexes"], tested["GlobalSecondaryIndexes"]
    assert index == {key: theirs[key] for key in ("IndexName", "KeySchema", "Projection")}


def test_the_table_outlives_the_stack(stack: dict[str, Any]) -> None:
    """External IDs must never be given twice, so the table is kept, protected, and can be taken up again."""
    table = stack["Resources"]["Table"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"

    assert stack["Conditions"]["CreateTable"] == {"Fn::Equals": [{"Ref": "ExistingTable"}, ""]}
    assert table["Condition"] == "CreateTable"
    name = {"Fn::If": ["CreateTable", {"Fn::Sub": "rolecall-${Stage}"}, {"Ref": "ExistingTable"}]}
    assert _of_type(stack, "AWS::Lambda::Function")["APIHandler"]["Environment"]["Variables"]["TABLE_NAME"] == name
    # Nothing may need the table to be of this stack.
    assert '{"Ref": "Table"}' not in json.dumps(stack["Resources"])
    assert '["Table",' not in json.dumps(stack["Resources"])


def test_every_setting_is_a_parameter_and_reaches_the_functions(stack: dict[str, Any]) -> None:
    """A setting that the stack forgot could only be set by hand, until the next deployment."""
    declared = {variable.name for variable, _ in parameters.variables()}
    environment = _of_type(stack, "AWS::Lambda::Function")["Reverify"]["Environment"]["Variables"]
    assert set(environment) - {"AWS_LAMBDA_EXEC_WRAPPER"} == declared - parameters.NOT_DEPLOYED

    for variable, required in parameters.settings_of_stack():
        name = parameters.parameter_name(variable.name)
        assert ("Default" in stack["Parameters"][name]) is not required, name
    assert "Default" not in stack["Parameters"]["JwtIssuer"]
    assert stack["Parameters"]["ProxyUrl"]["NoEcho"] is True
    # Where tools/deploy.py puts them.
    place = "https://${CustomerTemplateBucket}.s3.${AWS::Region}.${AWS::URLSuffix}/rolecall-${Stage}"
    assert environment["CUSTOMER_TEMPLATES"]["Fn::If"][:2] == ["HasTemplateBucket", {"Fn::Sub": place}]
    assert environment["JWT_JWKS_URL"] == {"Fn::If": ["SetsJwtJwksUrl", {"Ref": "JwtJwksUrl"}, {"Ref": "AWS::NoValue"}]}


def test_the_api_is_regional_throttled_and_measured(stack: dict[str, Any]) -> None:
    """An edge endpoint would cut streams after 30 s; without a limit one caller could use up the account's."""
    assert _of_type(stack, "AWS::ApiGateway::RestApi")["RestAPI"]["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    [settings] = _of_type(stack, "AWS::ApiGateway::Stage")["RestAPIStage"]["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"], settings["MetricsEnabled"]) == ("/*", "*", True)
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (
        {"Ref": "ThrottleRate"},
        {"Ref": "ThrottleBurst"},
    )
    assert "DataTraceEnabled" not in settings


def test_access_logs_hold_no_secret(stack: dict[str, Any]) -> None:
    """Neither path nor query nor header: what callers send is not written down."""
    setting = _of_type(stack, "AWS::ApiGateway::Stage")["RestAPIStage"]["AccessLogSetting"]["Fn::If"][1]
    line = json.loads(setting["Format"])

    assert line["route"] == "$context.resourcePath"
    allowed = {
        "$context.requestTimeEpoch", "$context.requestId", "$context.identity.sourceIp", "$context.httpMethod",
        "$context.resourcePath", "$context.status", "$context.responseLatency", "$context.responseLength",
        "$context.error.responseType",
    }  # fmt: skip
    assert set(line.values()) == allowed


@pytest.mark.parametrize("kind", gateway_responses.RESPONSES)
def test_what_lambda_never_sees_is_answered_in_the_envelope(stack: dict[str, Any], kind: str) -> None:
    """Code, type and status of the one table, the request's id, and the header without which browsers hide it."""
    body = _of_type(stack, "AWS::ApiGateway::RestApi")["RestAPI"]["Body"]
    response = body["x-amazon-apigateway-gateway-responses"][kind]

    [(media, text)] = response["responseTemplates"].items()
    error = json.loads(text)["error"]
    assert media == "application/json"
    assert {"message", "type", "code", "param", "request_id"} <= set(error)
    assert error["request_id"] == "$context.requestId"
    assert error["type"] == CODES[error["code"]].type
    if not kind.startswith("DEFAULT_"):
        assert response["statusCode"] == str(CODES[error["code"]].status)
    assert "$context.error" not in text
    origin = response["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"]
    assert origin == {"Fn::If": ["SetsAllowedOrigin", {"Fn::Sub": "'${AllowedOrigin}'"}, {"Ref": "AWS::NoValue"}]}


def test_unknown_routes_and_limits_of_the_gateway_have_their_codes() -> None:
    """AWS would answer an unknown route with 403 and "Missing Authentication Token"."""
    codes = {kind: (own.status, own.error.code) for kind, own in gateway_responses.RESPONSES.items()}

    assert codes["MISSING_AUTHENTICATION_TOKEN"] == (404, "unknown_route")
    assert "/v1" in (gateway_responses.RESPONSES["MISSING_AUTHENTICATION_TOKEN"].error.fix or "")
    assert codes["REQUEST_TOO_LARGE"] == (413, "body_too_large")
    assert codes["THROTTLED"] == (429, "too_many_requests")
    assert codes["INTEGRATION_TIMEOUT"] == (504, "request_timeout")
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= set(codes)


def test_a_changed_origin_domain_or_route_deploys_the_api_anew(stack: dict[str, Any]) -> None:
    """API Gateway serves what was deployed last: without a new deployment the old CORS header would stay.

    So would API Gateway's own address beside a new domain, which the operator's guide says is switched off.
    """

    def deployment(found: dict[str, Any]) -> str:
        [name] = _of_type(found, "AWS::ApiGateway::Deployment")
        assert found["Resources"]["RestAPIStage"]["Properties"]["DeploymentId"] == {"Ref": name}
        return name

    none, *others = (
        template.with_choices(stack, origin=origin, domain=domain)
        for origin in ("", "https://a.example", "https://b.example")
        for domain in ("", "api.example.com")
    )
    assert deployment(none) == deployment(stack)
    assert len({deployment(one) for one in (none, *others)}) == 6
    changed = json.loads(json.dumps(stack))
    del changed["Resources"]["RestAPI"]["Properties"]["Body"]["paths"]["/health"]
    assert deployment(template.with_choices(changed, origin="", domain="")) != deployment(none)


def test_the_schedule_wakes_reverify_and_may(stack: dict[str, Any]) -> None:
    """EventBridge's rule, its permission, and no retry: a run that failed is simply found again ten minutes later."""
    [rule] = _of_type(stack, "AWS::Events::Rule").values()
    assert rule["ScheduleExpression"] == "rate(10 minutes)"
    assert rule["Targets"] == [{"Arn": {"Fn::GetAtt": ["Reverify", "Arn"]}, "Id": "Reverify"}]
    permission = _of_type(stack, "AWS::Lambda::Permission")["ReverifyEventPermission"]
    assert permission["SourceArn"] == {"Fn::GetAtt": ["ReverifyEvent", "Arn"]}
    assert _of_type(stack, "AWS::Lambda::EventInvokeConfig")["ReverifyInvokes"]["MaximumRetryAttempts"] == 0


def _sam(**more: object) -> dict[str, Any]:
    function = {"Handler": "app.app", "Tracing": "PassThrough", "Tags": {"a": "b"}, "CodeUri": "./x.zip"}
    route = {"post": {"x-amazon-apigateway-integration": {"uri": "buffered", "type": "aws_proxy"}}}
    api = {
        "DefinitionBody": {"paths": {"/v1/chat/completions": route}},
        "EndpointConfiguration": "REGIONAL",
        "StageName": "prod",
    }
    resources = json.loads((ROOT / ".chalice/resources.json").read_text())["Resources"]
    return {
        "Description": "x",
        "Parameters": {"Stage": {"Type": "String"}},
        "Conditions": {},
        "Outputs": {},
        "Resources": {
            **{name: resources[name] for name in ("Table", "ServiceRole", "ServiceRolePolicy")},
            "APIHandler": {"Type": "AWS::Serverless::Function", "Properties": {**function, **more}},
            "RestAPI": {"Type": "AWS::Serverless::Api", "Properties": api},
        },
    }


def _made(sam: dict[str, Any], *streams: tuple[str, str], wrapper: str | None = None) -> dict[str, Any]:
    return template.stack(
        sam, {}, stage="prod", architecture="arm64", runtime="python3.13", streams=streams, wrapper=wrapper
    )


def test_routes_that_stream_are_integrated_as_streams() -> None:
    """Whole answers of such a route take the same way, for as long as a stream may; the runtime loop is switched on."""
    made = _made(_sam(), ("POST", "/v1/chat/completions"), wrapper="bootstrap")

    body = _of_type(made, "AWS::ApiGateway::RestApi")["RestAPI"]["Body"]
    integration = body["paths"]["/v1/chat/completions"]["post"]["x-amazon-apigateway-integration"]
    assert integration["responseTransferMode"] == "STREAM"
    assert integration["timeoutInMillis"] == 900_000
    assert integration["uri"]["Fn::Sub"].endswith("${APIHandler.Arn}/response-streaming-invocations")
    assert integration["type"] == "aws_proxy"
    variables = _of_type(made, "AWS::Lambda::Function")["APIHandler"]["Environment"]["Variables"]
    assert variables["AWS_LAMBDA_EXEC_WRAPPER"] == "/var/task/bootstrap"
    plain = _of_type(_made(_sam()), "AWS::Lambda::Function")["APIHandler"]["Environment"]["Variables"]
    assert "AWS_LAMBDA_EXEC_WRAPPER" not in plain


def test_every_method_of_a_path_reaches_the_function(stack: dict[str, Any]) -> None:
    """API Gateway would answer one that a path has not as it answers a path that there is not."""
    paths = _of_type(stack, "AWS::ApiGateway::RestApi")["RestAPI"]["Body"]["paths"]
    found = [methods["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"] for methods in paths.values()]

    assert all(integration["type"] == "aws_proxy" for integration in found)
    assert not any("responseTransferMode" in integration for integration in found)


def test_the_stack_streams_what_the_code_streams(stack: dict[str, Any]) -> None:
    """A route on one list alone would be a 502, or cut at 29 seconds; both functions are run by our loop."""
    paths = _of_type(stack, "AWS::ApiGateway::RestApi")["RestAPI"]["Body"]["paths"]
    streams = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if operation.get("x-amazon-apigateway-integration", {}).get("responseTransferMode") == "STREAM"
    }

    assert streams == STREAM_ROUTES
    for function in _of_type(stack, "AWS::Lambda::Function").values():
        assert function["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"] == "/var/task/rolecall-runtime"


def test_what_is_not_known_is_refused() -> None:
    """A route that is not there, an event or resource of another kind: deploying a guess would be worse."""
    with pytest.raises(template.TemplateError, match="There is no route GET /v1/nothing"):
        _made(_sam(), ("GET", "/v1/nothing"))
    with pytest.raises(template.TemplateError, match="is woken by SQS"):
        _made(_sam(Events={"Queue": {"Type": "SQS", "Properties": {}}}))
    sam = _sam()
    sam["Resources"]["More"] = {"Type": "AWS::Serverless::LayerVersion", "Properties": {}}
    with pytest.raises(template.TemplateError, match="More is AWS::Serverless::LayerVersion"):
        _made(sam)


_PARLIAMENT = """
import json, sys, warnings
warnings.simplefilter("ignore")
from parliament import analyze_policy_string
for document in json.load(sys.stdin):
    for finding in analyze_policy_string(json.dumps(document), include_community_auditors=True).findings:
        print(finding.issue, finding.location["actions"])
"""


def test_an_iam_linter_finds_nothing_in_the_roles_policies(stack: dict[str, Any]) -> None:
    """No unknown action, no resource that an action doesn't take, no wildcard action."""
    filled = json.loads(
        json.dumps(stack["Resources"]["ServiceRolePolicy"]["Properties"]["PolicyDocument"]),
        object_hook=lambda row: _substituted(row["Fn::Sub"]) if "Fn::Sub" in row else row,
    )
    done = subprocess.run(
        [sys.executable, "-c", _PARLIAMENT], input=json.dumps([filled]), capture_output=True, text=True, check=True
    )

    # It remarks that AssumeRole returns credentials: that is the service's work, and all that it says.
    assert done.stdout == "CREDENTIALS_EXPOSURE ['sts:assumerole']\n"
    actions = [action for row in filled["Statement"] for action in _listed(row["Action"])]
    assert not [action for action in actions if "*" in action]
    # "*" alone stands nowhere as a resource either.
    assert not [row for row in filled["Statement"] if "*" in _listed(row["Resource"])]


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _substituted(value: Any) -> str:
    text = value if isinstance(value, str) else value[0]
    words = {
        "Stage": "prod",
        "AWS::Partition": "aws",
        "AWS::Region": "us-east-1",
        "AWS::AccountId": "111122223333",
        "TableName": "rolecall-prod",
        "CustomerRoleNames": "RolecallAccess-*",
    }
    return re.sub(r"\$\{([^}]+)\}", lambda mark: words[mark[1]], text)

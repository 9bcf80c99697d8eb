"""Deploying: each mistake is told before anything is touched, and what AWS stored is what was made, and runs.

As far as moto goes: change sets, the role and its policy, table, logs, rule and functions with their code. It can't
take alarms, API Gateway's routes and permissions from CloudFormation, checks no schema and replaces nothing; cfn-lint
stands for those, and tools/smoke.py for the rest.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import urllib.request
import zipfile
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.stack.far_aws import ACCOUNT, as_far_as_moto_goes
from tools import changes, chosen, parameters
from tools.account import Account
from tools.pythons import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.package import Package

ROOT = Path(__file__).parent.parent.parent
ENOUGH = """\
# Who issues the tokens.
JWT_ISSUER=https://login.example.com/
JWT_AUDIENCE=rolecall
JWT_JWKS_URL=https://login.example.com/keys
WRITE_ACCESS_LOGS=no
"""
NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Far:
    """AWS, the package that moto can take, and the program that deploys it."""

    url: str
    package: Path
    settings: Path

    def environ(self, **more: str) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": "operator", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
        return {"PATH": os.environ["PATH"], **NOWHERE, **keys, "AWS_ENDPOINT_URL": self.url, **more}

    def deploy(self, *more: str, settings: str = ENOUGH, typed: str = "") -> subprocess.CompletedProcess[str]:
        self.settings.write_text(settings)
        command = ["--stage", "prod", "--settings", str(self.settings), "--package", str(self.package), *more]
        return subprocess.run(
            [sys.executable, "-m", "tools.deploy", *command],
            cwd=ROOT,
            env=self.environ(),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="operator",
            aws_secret_access_key="secret",
        )


@pytest.fixture
def far(runnable: Package, tmp_path: Path) -> Iterator[Far]:
    """Give an empty AWS account, and the package with as much of its stack as moto can take."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "rolecall.zip").write_bytes(runnable.zip.read_bytes())
    stack = as_far_as_moto_goes(json.loads(runnable.stack.read_text()))
    (folder / "stack.json").write_text(json.dumps(stack))
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.stack.far_aws"],
        cwd=ROOT,
        # Not moto's usual account: examples use that one, and the settings refuse it.
        env={**os.environ, "MOTO_ACCOUNT_ID": ACCOUNT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdin is not None
    try:
        yield Far(program.stdout.readline().strip(), folder, tmp_path / "prod.env")
    finally:
        program.stdin.close()
        program.wait(60)
        program.stdout.close()


class _RuntimeApi(BaseHTTPRequestHandler):
    """Lambda's Runtime API for one invocation."""

    protocol_version = "HTTP/1.1"
    event: bytes
    answers: list[tuple[str, bytes]]
    taken: threading.Event

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.taken.is_set():
            # The runtime asks for the next event, and is ended while it waits.
            threading.Event().wait(30)
        self.taken.set()
        self.send_response(200)
        # The client is C below Python, and ends with a segmentation fault when one of these is missing.
        ids = {"Aws-Request-Id": "one", "Invocation-Id": "one-1", "Invoked-Function-Arn": "f"}
        trace = "Root=1-00000000-000000000000000000000000;Sampled=0"
        for name, text in {**ids, "Deadline-Ms": "9999999999999", "Trace-Id": trace}.items():
            self.send_header(f"Lambda-Runtime-{name}", text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.event)))
        self.end_headers()
        self.wfile.write(self.event)

    def do_POST(self) -> None:
        self.answers.append((self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _invoke(code: Path, handler: str, environ: dict[str, str], event: dict[str, Any]) -> Any:
    """Run one invocation of unpacked code under the managed runtime's own client."""
    answers: list[tuple[str, bytes]] = []
    more = {"event": json.dumps(event).encode(), "answers": answers, "taken": threading.Event()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_RuntimeApi,), more))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    program = subprocess.Popen(
        [sys.executable, "-m", "awslambdaric", handler],
        cwd=code,
        env={
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
            "LAMBDA_TASK_ROOT": str(code),
            "AWS_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": "rolecall-prod",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environ,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(600):
            if answers or program.poll() is not None:
                break
            threading.Event().wait(0.05)
    finally:
        program.kill()
        _, errors = program.communicate()
        server.shutdown()
        server.server_close()
    assert answers, errors[-2000:]
    path, body = answers[0]
    assert path.endswith("/response"), body
    return json.loads(body)


def test_a_deployment_stores_what_was_made_and_what_was_stored_runs(far: Far) -> None:
    """From nothing to a stack whose function, taken out of Lambda again, answers under Lambda's own client."""
    done = far.deploy("--confirm", "yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Add     APIHandler" in done.stdout

    functions = {row["Handler"]: row for row in far.client("lambda").list_functions()["Functions"]}
    digest = base64.b64encode(hashlib.sha256((far.package / "rolecall.zip").read_bytes()).digest()).decode()
    assert {row["CodeSha256"] for row in functions.values()} == {digest}
    assert {row["Role"] for row in functions.values()} == {f"arn:aws:iam::{ACCOUNT}:role/rolecall-prod"}
    variables = functions["app.app"]["Environment"]["Variables"]
    assert variables == functions["app.reverify"]["Environment"]["Variables"]
    assert variables["TABLE_NAME"] == "rolecall-prod"
    assert "ALLOWED_ORIGIN" not in variables

    address = f"{far.url}/_stored/{functions['app.app']['FunctionName']}"
    with urllib.request.urlopen(address, timeout=30) as stored:  # noqa: S310  the loopback
        code = far.package.parent / "code"
        zipfile.ZipFile(io.BytesIO(stored.read())).extractall(code)
    event = {
        "httpMethod": "GET", "resource": "/v1/setup", "path": "/v1/setup", "headers": {}, "multiValueHeaders": {},
        "requestContext": {"httpMethod": "GET", "resourcePath": "/v1/setup", "requestId": "r-1"}, "body": None,
        "pathParameters": None, "stageVariables": None, "multiValueQueryStringParameters": None,
        "isBase64Encoded": False,
    }  # fmt: skip
    answer = _invoke(code, "app.app", variables, event)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (401, "missing_token")
    assert answer["headers"]["X-Request-Id"] == "r-1"

    iam = far.client("iam")
    assert iam.list_role_policies(RoleName="rolecall-prod")["PolicyNames"] == ["rolecall-us-east-1"]
    policy = iam.get_role_policy(RoleName="rolecall-prod", PolicyName="rolecall-us-east-1")["PolicyDocument"]
    assert f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/rolecall-prod/index/due" in json.dumps(policy)
    table = far.client("dynamodb").describe_table(TableName="rolecall-prod")["Table"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["due"]


def test_nothing_is_changed_without_a_yes_or_without_a_change(far: Far) -> None:
    """Changes are shown first; a no leaves nothing behind; the same again is told as nothing to do."""
    assert "There is no package in /nowhere" in far.deploy("--package", "/nowhere").stderr
    declined = far.deploy(typed="n\n")
    assert (declined.returncode, f"New stack rolecall-prod in {ACCOUNT}, us-east-1:" in declined.stdout) == (0, True)
    assert declined.stdout.endswith("Nothing was changed.\n")
    assert far.client("lambda").list_functions()["Functions"] == []
    assert far.deploy(typed="").stdout.endswith("Nothing was changed.\n")

    assert "Address:" in far.deploy(typed="y\n").stdout
    again = far.deploy(typed="y\n")
    assert (again.returncode, again.stdout) == (0, "Nothing was changed.\n")

    changed = far.deploy("--confirm", "yes", settings=ENOUGH + "ALLOWED_ORIGIN=https://app.example.com\n")
    assert "Stack rolecall-prod in " in changed.stdout
    assert "RestAPIDeployment" in changed.stdout


def test_the_table_outlives_the_stack_and_is_taken_up_again(far: Far) -> None:
    """Deleting the stack keeps the connections; deploying again says how to get them back, and then has them."""
    assert far.deploy("--confirm", "yes").returncode == 0
    dynamodb, name = far.client("dynamodb"), "rolecall-prod"
    item = {"pk": {"S": "EXTERNAL_ID#x"}, "sk": {"S": "EXTERNAL_ID"}}
    dynamodb.put_item(TableName=name, Item=item)
    far.client("cloudformation").delete_stack(StackName=name)
    assert far.client("lambda").list_functions()["Functions"] == []

    refused = far.deploy("--confirm", "yes")
    assert refused.returncode == 1
    assert "Set EXISTING_TABLE=rolecall-prod to take it up again." in refused.stderr

    done = far.deploy("--confirm", "yes", settings=ENOUGH + "EXISTING_TABLE=rolecall-prod\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert dynamodb.get_item(TableName=name, Key=item)["Item"] == item
    functions = far.client("lambda").list_functions()["Functions"]
    assert {row["Environment"]["Variables"]["TABLE_NAME"] for row in functions} == {name}


def test_another_table_takes_no_place_unasked(far: Far) -> None:
    """A line that went missing, or names a wrong table, would leave every customer's connection behind.

    A table that is not there is refused; one that is there is asked about, and no switch answers.
    """
    assert far.deploy("--confirm", "yes").returncode == 0
    wrong = far.deploy("--confirm", "yes", settings=ENOUGH + "EXISTING_TABLE=nowhere\n")
    assert "The stack can't be changed: There is no table nowhere in us-east-1" in wrong.stderr

    own = parameters.table()
    indexes = own["GlobalSecondaryIndexes"]
    keys = {"other": own["KeySchema"][:1], "bare": own["KeySchema"], "restored": own["KeySchema"]}
    for name, schema in keys.items():
        more = {"GlobalSecondaryIndexes": indexes} if name == "restored" else {}
        used = {
            row["AttributeName"] for part in (schema, *(one["KeySchema"] for one in indexes if more)) for row in part
        }
        far.client("dynamodb").create_table(
            TableName=name,
            KeySchema=schema,
            AttributeDefinitions=[row for row in own["AttributeDefinitions"] if row["AttributeName"] in used],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )
    foreign = far.deploy("--confirm", "yes", settings=ENOUGH + "EXISTING_TABLE=other\n")
    assert "other, which EXISTING_TABLE names, is none of Rolecall's" in foreign.stderr
    # A restore may leave the indexes out.
    bare = far.deploy("--confirm", "yes", settings=ENOUGH + "EXISTING_TABLE=bare\n")
    assert "The table bare has not the index due" in bare.stderr
    asked = far.deploy("--confirm", "yes", settings=ENOUGH + "EXISTING_TABLE=restored\n")
    told = "This takes the table restored in place of rolecall-prod: no connection of rolecall-prod is served any more."
    assert told in asked.stdout
    assert asked.stdout.endswith("Nothing was changed.\n")
    taken = far.deploy(settings=ENOUGH + "EXISTING_TABLE=restored\n", typed="rolecall-prod\n")
    assert "Now check it:" in taken.stdout
    assert "is there, left by an earlier stack" in far.deploy("--confirm", "yes").stderr


def test_a_first_deployment_that_would_fail_half_way_is_not_begun(far: Far) -> None:
    """What the account lacks or has already is told in one list, before there is a bucket or a stack."""
    far.client("iam").create_role(RoleName="rolecall-prod", AssumeRolePolicyDocument="{}")
    wrong = ENOUGH.replace("WRITE_ACCESS_LOGS=no", "EXISTING_TABLE=nowhere")

    done = far.deploy("--confirm", "yes", settings=wrong)

    assert done.returncode == 1
    for told in ("There is no table nowhere", "The role rolecall-prod is there", "API Gateway has no role for logs"):
        assert told in done.stderr
    assert far.client("s3").list_buckets()["Buckets"] == []
    assert far.client("cloudformation").list_stacks()["StackSummaries"] == []


def test_the_packages_bucket_is_the_operators_own_and_closed(far: Far) -> None:
    """It is made with public access blocked and versions kept; a bucket that is named must be there."""
    assert "does not exist. Name another" in far.deploy(settings=ENOUGH + "CODE_BUCKET=nowhere\n").stderr
    far.deploy(typed="n\n")

    s3, name = far.client("s3"), f"rolecall-{ACCOUNT}-us-east-1"
    assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    keys = [row["Key"] for row in s3.list_objects_v2(Bucket=name)["Contents"]]
    digest = hashlib.sha256((far.package / "rolecall.zip").read_bytes()).hexdigest()
    assert f"prod/{digest}.zip" in keys


def test_the_roles_templates_are_put_where_customers_must_be_able_to_read_them(far: Far) -> None:
    """One for each region with Bedrock. moto looks at objects' ACLs alone, so all it can show is a closed bucket."""
    s3 = far.client("s3")
    s3.create_bucket(Bucket="templates")
    settings = ENOUGH + "CUSTOMER_TEMPLATE_BUCKET=templates\n"
    declined = far.deploy(typed="n\n", settings=settings)
    assert (declined.returncode, declined.stderr) == (0, "")
    # Customers create roles from what stands there: nothing is put there that nobody has said yes to.
    assert "Contents" not in s3.list_objects_v2(Bucket="templates")

    refused = far.deploy("--confirm", "yes", settings=settings)

    assert "Customers can't read https://templates.s3.us-east-1.amazonaws.com/rolecall-prod/" in refused.stderr
    keys = {row["Key"] for row in s3.list_objects_v2(Bucket="templates")["Contents"]}
    assert {"rolecall-prod/customer-role-us-east-1.cfn.yaml", "rolecall-prod/customer-role-eu-west-1.cfn.yaml"} <= keys
    assert not [key for key in keys if "us-gov" in key]
    # The change that was shown is taken back: another try begins anew.
    stacks = far.client("cloudformation").list_stacks()["StackSummaries"]
    assert {stack["StackStatus"] for stack in stacks} <= {"DELETE_COMPLETE"}
    assert far.client("lambda").list_functions()["Functions"] == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param(
            "JWT_ISSUER=x\n", ["JWT_AUDIENCE is not set.", "Set one of JWT_JWKS_URL and JWT_PUBLIC_KEY"], id="unset"
        ),
        pytest.param(ENOUGH + "JWT_PUBLIC_KEY=x\n", ["JWT_PUBLIC_KEY: give a public key"], id="contradictory"),
        pytest.param(ENOUGH + "JWT_ISUER=x\n", ["JWT_ISUER is not a setting of the stack."], id="misspelt"),
        pytest.param(ENOUGH + "LOCAL_ADDRESSES=a=http://127.0.0.1:1\n", ["LOCAL_ADDRESSES is not"], id="the sandbox's"),
        pytest.param(ENOUGH + "ALLOWED_ORIGIN=*\n", ["ALLOWED_ORIGIN: give one web origin"], id="any origin"),
        pytest.param(ENOUGH + "RESERVED_CONCURRENCY=many\n", ["RESERVED_CONCURRENCY: give a whole"], id="no number"),
        pytest.param(ENOUGH + "LOG_RETENTION_DAYS=31\n", ["LOG_RETENTION_DAYS: give one of 1, 3, 5"], id="no choice"),
        pytest.param(ENOUGH + "CUSTOMER_ROLE_NAMES=a b\n", ["CUSTOMER_ROLE_NAMES: Which"], id="no name"),
        pytest.param(
            ENOUGH + "ALARM_TOPIC_ARN=ops\nPERMISSIONS_BOUNDARY=b\nCERTIFICATE_ARN=c\nDOMAIN_NAME=not one\n",
            ["ALARM_TOPIC_ARN: ", "arn:aws:sns:", "PERMISSIONS_BOUNDARY: ", "CERTIFICATE_ARN: ", "DOMAIN_NAME: "],
            id="what is no ARN, and no domain",
        ),
        pytest.param(ENOUGH + "CUSTOMER_TEMPLATE_BUCKET=Bad_!\n", ["lower-case letters"], id="no name of a bucket"),
        pytest.param(ENOUGH + "RESERVED_CONCURRENCY=0\n", ["with 0 nothing runs"], id="no invocation at all"),
        pytest.param(
            ENOUGH + "BUILT_IN_MODEL=us.amazon.nova-micro-v1:0\nCOMPLETIONS_DAILY_TOKENS=5\n",
            ["BUILT_IN_FOUNDATION_MODEL: name the model behind"],
            id="a profile without its model",
        ),
        pytest.param(
            ENOUGH + "DOMAIN_NAME=a.example.com\n", ["DOMAIN_NAME and CERTIFICATE_ARN go"], id="half a domain"
        ),
        pytest.param(
            ENOUGH + f"SYSTEM_PROMPT={'x' * 2900}\nOPENAI_CHAT_MODELS={','.join(['gpt-4o' * 10] * 30)}\n",
            ["Lambda takes 4000 of variables"],
            id="too much for Lambda",
        ),
        pytest.param("JWT_ISSUER\n", ["line 1: write NAME=value."], id="no value"),
        pytest.param("A=1\nA=2\n", ["line 2: A stands there twice."], id="twice"),
        pytest.param('A="1"\n', ["line 1: write A's value without quotation marks."], id="as in a shell's file"),
        pytest.param("A=1 # one\n", ["line 1: a remark stands on a line of its own"], id="a remark behind a value"),
    ],
)
def test_settings_that_the_service_would_refuse_are_refused_first(
    deployed: Package, tmp_path: Path, settings: str, told: list[str]
) -> None:
    """The same list that the service would end with at its start, before anything is uploaded."""
    path = tmp_path / "prod.env"
    path.write_text(settings)
    account = Account(boto3.Session(), "111122223333", "us-east-1", "aws", "amazonaws.com")

    with pytest.raises(PackageError) as refused:
        chosen.check(chosen.read(path), json.loads(deployed.stack.read_text())["Parameters"], account, "prod")

    for text in told:
        assert text in str(refused.value)


def test_the_example_of_settings_can_be_deployed(deployed: Package) -> None:
    """As it is, and with each line that is switched off switched on."""
    account = Account(boto3.Session(), "111122223333", "eu-central-1", "aws", "amazonaws.com")
    text = (ROOT / "deploy/example.env").read_text()
    declared = json.loads(deployed.stack.read_text())["Parameters"]
    for example in (text, text.replace("# ALLOWED", "ALLOWED").replace("# EXIST", "EXIST").replace("# RES", "RES")):
        lines = [line for line in example.splitlines() if line and not line.startswith("#")]
        chosen.check(dict(line.split("=", 1) for line in lines), declared, account, "prod")


def _run(environ: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tools.deploy", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **NOWHERE, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_what_the_machine_lacks_is_told_in_words(tmp_path: Path) -> None:
    """Stage, settings, region, credentials: each with what to do, and no traceback."""
    settings = tmp_path / "prod.env"
    settings.write_text(ENOUGH)
    given = ("--stage", "prod", "--settings", str(settings))
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}

    assert "There is no stage 'production'" in _run({}, "--stage", "production")
    assert "Copy deploy/example.env to it" in _run({}, "--stage", "prod", "--settings", str(tmp_path / "none"))
    assert "No region is set. Set AWS_REGION" in _run(keys, *given)
    assert "'mars-1' is not an AWS region" in _run({**keys, "AWS_REGION": "mars-1"}, *given)
    assert "There are no AWS credentials" in _run({"AWS_REGION": "us-east-1"}, *given)
    nameless = _run({"AWS_REGION": "us-east-1", "AWS_PROFILE": "nobody"}, *given)
    assert nameless.startswith("The config profile (nobody) could not be found. Set AWS_PROFILE to one")
    # A sign-in that is over is the most frequent of these, and none of AWS's being away.
    config = tmp_path / "config"
    sso = "sso_start_url=https://x.awsapps.com/start\nsso_region=us-east-1\nsso_account_id=111122223333\n"
    config.write_text(f"[profile sso]\n{sso}sso_role_name=Administrator\n")
    over = {"AWS_REGION": "us-east-1", "AWS_PROFILE": "sso", "AWS_CONFIG_FILE": str(config), "HOME": str(tmp_path)}
    assert "There are no AWS credentials (Error loading SSO Token" in _run(over, *given)
    nobody = {**keys, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    assert "AWS can't be reached in us-east-1" in _run(nobody, *given)


def test_a_change_that_customers_would_feel_is_told_apart() -> None:
    """Their external IDs are in the table, their trust policies name the role: neither goes with a switch."""
    rows = (
        ("Modify", "APIHandler", "AWS::Lambda::Function", ""),
        ("Modify", "Table", "AWS::DynamoDB::Table", ""),
        ("Remove", "ServiceRole", "AWS::IAM::Role", ""),
    )
    assert changes.ChangeSet("rolecall-prod", "c", False, rows).precious() == ["ServiceRole"]
    replaced = ("Modify", "Table", "AWS::DynamoDB::Table", "replaced")
    assert changes.ChangeSet("rolecall-prod", "c", False, (*rows, replaced)).precious() == ["ServiceRole", "Table"]

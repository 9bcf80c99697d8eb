"""Whatever is written runs: the README's commands, its code, and the programs that it names."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.far_customer import Api

if TYPE_CHECKING:
    from sandbox.world import World

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_commands_that_are_named_exist() -> None:
    """Every `make` target that a document names is one, and `make help` explains each."""
    named = {
        target
        for name in ("README.md", "CONTRIBUTING.md")
        for target in re.findall(r"make ([a-z]+)", (ROOT / name).read_text())
    }
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert named <= set(re.findall(r"make ([a-z]+)", helped))
    assert {"demo", "serve", "test", "lint", "fix", "lock"} <= set(re.findall(r"make ([a-z]+)", helped))


DOCUMENTS = [
    ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "policies/README.md")
] + sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_files_that_are_linked_exist(document: Path) -> None:
    """No link of a document leads nowhere, the headings behind # included."""
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        name, _, heading = target.partition("#")
        linked = document.parent / name if name else document
        assert target.startswith("http") or linked.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, target


def test_the_demo_plays_the_whole_journey() -> None:
    """`make demo ONCE=1` ends well, and shows each of its steps."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.demo", "--once"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )

    assert (done.returncode, done.stderr) == (0, "")
    for text in ("External ID:", "sts:ExternalId", "it let us in", "external_id_not_enforced", "active", "Question:"):
        assert text in done.stdout
    assert "\x1b" not in done.stdout


def test_the_readmes_requests_work_as_written(world: World) -> None:
    """The three curl commands and the Python lines do what the text says."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not on this machine")
    token = world.issuer.token("readme")
    api = Api(world.gateway.url, token)
    [block] = [block for block in re.findall(r"```\n(.*?)```", README, re.DOTALL) if "curl" in block]
    create, script, verify = re.split(r"\n(?=curl)", block.strip())
    environ = {"URL": world.gateway.url, "TOKEN": token, "PATH": "/usr/bin:/bin:/usr/local/bin"}

    def run(command: str, **more: str) -> str:
        return subprocess.run(
            ["bash", "-c", command], env={**environ, **more}, capture_output=True, text=True, check=True
        ).stdout

    connection = json.loads(run(create))
    assert run(script, ID=connection["id"]).startswith("#!")
    role = connection["expected_role_arn"]
    files = api.get(f"/v1/connections/{connection['id']}/documents").json["files"]
    iam = world.accounts.customer.session("us-east-1").client("iam", endpoint_url=world.aws.url)
    name = role.rpartition("/")[2]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=files["trust-policy.json"])
    iam.put_role_policy(RoleName=name, PolicyName="Rolecall", PolicyDocument=files["permissions-policy.json"])
    report = json.loads(run(verify.replace("RolecallAccess-...", name), ID=connection["id"]))
    assert report["status"] == "active"

    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = code.replace("http://127.0.0.1:8000", world.gateway.url).replace("client.chat", "answer = client.chat")
    names: dict[str, Any] = {"token": token}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102  the README's own lines
    assert "Hello" in names["answer"].choices[0].message.content
    names["client"].close()


def test_the_sandbox_can_be_driven_from_outside() -> None:
    """`python -m sandbox --json` prints one line, and plain boto3 and HTTP alone can do the whole journey with it."""
    program = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--json", "--port", "0", "--aws-port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout is not None
        told = json.loads(program.stdout.readline())
        assert told["ready"] is True
        assert (told["service_account"], told["service_role_arn"]) == (
            "111122223333",
            "arn:aws:iam::111122223333:role/rolecall-local",
        )
        customer = told["customer"]
        iam = boto3.client(
            "iam",
            region_name="us-east-1",
            endpoint_url=told["aws_endpoint"],
            aws_access_key_id=customer["access_key_id"],
            aws_secret_access_key=customer["secret_access_key"],
        )
        api = Api(told["url"], told["token"])
        body = {"name": "x", "region": "us-east-1", "account_id": customer["account"]}
        connection = api.post("/v1/connections", body).json
        files = api.get(f"/v1/connections/{connection['id']}/documents").json["files"]
        role = iam.create_role(RoleName="FromOutside", AssumeRolePolicyDocument=files["trust-policy.json"])["Role"][
            "Arn"
        ]
        iam.put_role_policy(RoleName="FromOutside", PolicyName="p", PolicyDocument=files["permissions-policy.json"])
        assert (
            api.post(f"/v1/connections/{connection['id']}/verification", {"role_arn": role}).json["status"] == "active"
        )
        assert Api(told["url"], told["other_tenant_token"]).get(f"/v1/connections/{connection['id']}").status == 404
        with urllib.request.urlopen(told["aws_endpoint"] + "/_sandbox/calls", timeout=30) as calls:  # noqa: S310
            assert "AssumeRole" in {call["operation"] for call in json.loads(calls.read())}
    finally:
        # As after Ctrl-Z: the system then gives the signal to any of its threads.
        for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGCONT):
            program.send_signal(number)
        program.wait(60)
        if program.stdout is not None:
            program.stdout.close()

    assert program.returncode == 0


def test_the_exported_lines_are_all_that_a_shell_needs(world: World) -> None:
    """What `make serve` and the demo print makes plain boto3, without arguments, the customer's administrator."""
    ask = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    done = subprocess.run(
        ["bash", "-c", f'{world.exports()}\n"$0" -c "$1"', sys.executable, ask],
        env={"PATH": "/usr/bin:/bin", "AWS_CONFIG_FILE": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.stdout.startswith(world.accounts.customer.account), done.stderr


@pytest.mark.parametrize("module", ["sandbox", "sandbox.demo", "chalicelib.trust"])
def test_every_program_explains_itself(module: str) -> None:
    """`--help` says what a program is for."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "usage: python -m " in done.stdout


def test_a_port_that_is_taken_is_told_as_such(world: World) -> None:
    """One line that says what to do, and no traceback."""
    port = world.gateway.url.rpartition(":")[2]
    for module, *more in (("sandbox", "--aws-port", "0"), ("sandbox.demo",)):
        done = subprocess.run(
            [sys.executable, "-m", module, "--port", port, *more],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr
        assert f"Port {port} is in use by another program." in done.stderr

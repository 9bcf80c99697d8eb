"""The whole journey, played in the terminal: `make demo`.

Both sides are real programs: the customer is plain boto3 in an account of its own, the administrator and the app speak
HTTP to Rolecall. Nothing is faked but AWS itself, and each step is checked: the first that is not as it should be ends
the demo with exit status 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import urllib3

from sandbox.interrupt import Interrupt
from sandbox.terminal import Terminal
from sandbox.world import REGION, TENANT, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class StepFailedError(Exception):
    """A step of the journey did not end as it must."""


class Journey:
    """The steps, in order. Each prints what a person should see of it."""

    def __init__(self, world: World, terminal: Terminal) -> None:
        self._world = world
        self._out = terminal
        self._token = world.issuer.token(TENANT)
        self._http = urllib3.PoolManager(retries=False)
        self._iam: Any = world.accounts.customer.session(REGION).client("iam", endpoint_url=world.aws.url)

    def play(self) -> None:
        """Play all of it. Raises `StepFailedError`."""
        out = self._out
        out.title("1", "The administrator of a customer creates a connection")
        connection = self._create_connection()
        documents = self._call("GET", f"/v1/connections/{connection['id']}/documents")
        out.title("2", "Rolecall gives the trust policy to attach")
        self._show_trust_policy(documents)

        out.title("3", "The customer creates the role - wrongly: the condition is left out")
        role_arn = self._create_role(connection, documents, careless=True)
        report = self._verify(connection, role_arn)
        self._expect(
            report["verdict"] == "refused" and report["status"] == "pending", "the open role stays out", report
        )
        self._show_findings(report)

        out.title("4", "The customer puts the given trust policy in place, and verifies again")
        self._iam.update_assume_role_policy(
            RoleName=_name(role_arn), PolicyDocument=documents["files"]["trust-policy.json"]
        )
        report = self._verify(connection, role_arn)
        self._expect(report["verdict"] == "verified" and report["usable"], "the right role becomes active", report)
        out.line(out.good("The connection is active.") + f" The checks took {report['duration_ms']} ms.")

        out.title("5", "The app lists the models that this role can call")
        model = self._list_models()
        out.title("6", "The app asks a question, in OpenAI's words")
        self._chat(model)
        out.title("7", "A customer who would rather bring a key presses Verify")
        self._verify_key()

    def _create_connection(self) -> dict[str, Any]:
        account = self._world.accounts.customer.account
        body = {"name": "Acme production", "region": REGION, "account_id": account}
        self._out.line(self._out.dim(f"POST /v1/connections {json.dumps(body)}"))
        connection: dict[str, Any] = self._call("POST", "/v1/connections", body)
        self._expect(connection["status"] == "pending", "a new connection is pending", connection)
        self._out.field("Connection", connection["id"])
        self._out.field("External ID", connection["external_id"])
        self._out.line(
            "The external ID is made here: 160 random bits, one for each connection. No request can choose it."
        )
        return connection

    def _show_trust_policy(self, documents: dict[str, Any]) -> None:
        self._out.block(json.dumps(documents["trust_policy"], indent=2))
        others = [name for name in documents["files"] if name != "trust-policy.json"]
        self._out.line(f"The same as a file, and beside it: {', '.join(others)}.")

    def _create_role(self, connection: dict[str, Any], documents: dict[str, Any], *, careless: bool) -> str:
        policy = json.loads(documents["files"]["trust-policy.json"])
        if careless:
            for statement in policy["Statement"]:
                del statement["Condition"]
        name = _name(connection["expected_role_arn"])
        self._out.line(
            self._out.dim(f"aws iam create-role --role-name {name} ...   (account {connection['account_id']})")
        )
        role = self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy))["Role"]
        self._iam.put_role_policy(
            RoleName=name, PolicyName="Rolecall", PolicyDocument=documents["files"]["permissions-policy.json"]
        )
        self._expect(role["Arn"] == connection["expected_role_arn"], "the role's ARN was foretold", role["Arn"])
        return str(role["Arn"])

    def _verify(self, connection: dict[str, object], role_arn: str) -> dict[str, Any]:
        path = f"/v1/connections/{connection['id']}/verification"
        self._out.line(self._out.dim(f"POST {path} {json.dumps({'role_arn': role_arn})}"))
        report: dict[str, Any] = {}
        for kind, data in self._events(path, {"role_arn": role_arn}):
            if kind == "check":
                self._out.check(data["title"], outcome=data["outcome"], expected=data["expected"])
            elif kind == "waiting":
                self._out.line(self._out.dim(f"{data['reason']} Trying again in {data['seconds']} s."))
            elif kind == "report":
                report = data
        self._expect(bool(report), "the verification ends with a report", report)
        return report

    def _show_findings(self, report: dict[str, Any]) -> None:
        for finding in report["findings"]:
            self._out.line(self._out.bad(finding["code"]) + f" (to be mended by the {finding['whose_fix']})")
            self._out.block(textwrap.fill(finding["message"], 96))
            self._out.block(textwrap.fill("Fix: " + finding["fix"], 96))
            for edit in finding["edits"]:
                self._out.line(self._out.dim(f"With it comes the whole {edit['document']} to paste."))

    def _list_models(self) -> str:
        models = self._call("GET", "/v1/models")["data"]
        self._expect(len(models) > 10, "the models of the region are listed", models)
        # One of each provider says more than the first eight of one.
        by_provider = {model["owned_by"]: model["id"] for model in models if model["rolecall"]["lifecycle"] == "ACTIVE"}
        width = max(map(len, by_provider.values()))
        for provider, model_id in sorted(by_provider.items()):
            self._out.line(f"{model_id:<{width}}  {self._out.dim(provider)}")
        self._out.line(self._out.dim(f"... {len(models)} in all"))
        return str(by_provider["Amazon"])

    def _chat(self, model: str) -> None:
        question = "In one sentence: why does a role need an external ID?"
        self._out.field("Model", model)
        self._out.field("Question", question)
        body = {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 200}
        answer = self._call("POST", "/v1/chat/completions", body)
        choice = answer["choices"][0]
        self._expect(choice["finish_reason"] == "stop" and choice["message"]["content"], "the model answers", answer)
        self._out.block(textwrap.fill(choice["message"]["content"], 96))
        usage = answer["usage"]
        self._out.line(
            self._out.dim(f"{usage['prompt_tokens']} tokens in, {usage['completion_tokens']} out")
            + self._out.dim("   (the sandbox's model repeats part of the question; a real one answers it)")
        )

    def _verify_key(self) -> None:
        self._out.line(self._out.dim('POST /v1/keys/verify {"provider": "anthropic", "key": "sk-ant-..."}'))
        check = self._call(
            "POST", "/v1/keys/verify", {"provider": "anthropic", "key": self._world.providers.anthropic.key}
        )
        self._expect(check["status"] == "valid" and check["models"], "the key is valid and lists its models", check)
        models = [model["id"] for model in check["models"]]
        self._out.line(self._out.good("The key is valid.") + f" It can call {', '.join(models)}.")
        self._out.line("The key is not stored, not even as a hash: the app sends it with each request.")

    def _call(self, method: str, path: str, body: object | None = None) -> Any:
        answer = self._http.request(
            method, self._world.gateway.url + path, json=body, headers={"Authorization": f"Bearer {self._token}"}
        )
        document = answer.json()
        self._expect(answer.status < 300, f"{method} {path} succeeds", document)
        return document

    def _events(self, path: str, body: object) -> Iterator[tuple[str, Any]]:
        answer = self._http.request(
            "POST",
            self._world.gateway.url + path,
            json=body,
            headers={"Authorization": f"Bearer {self._token}", "Accept": "text/event-stream"},
            preload_content=False,
        )
        self._expect(answer.status == 200, f"POST {path} succeeds", answer.status)
        kind = ""
        for line in answer:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, json.loads(value)

    def _expect(self, holds: object, what: str, seen: object) -> None:
        if not holds:
            raise StepFailedError(f"It should be so that {what}; seen instead: {json.dumps(seen, default=str)[:2000]}")


def _name(role_arn: str) -> str:
    return role_arn.rpartition("/")[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description="The whole journey on the local AWS.")
    parser.add_argument("--port", type=int, default=8000, help="where Rolecall listens (8000; 0 for any free port)")
    parser.add_argument("--once", action="store_true", help="end after the journey instead of staying up")
    options = parser.parse_args(arguments)
    terminal = Terminal(sys.stdout)
    terminal.heading("Rolecall: let your product use your customers' own Amazon Bedrock")
    terminal.line("Starting the local AWS and the service on it. No AWS account is used, nothing leaves this machine.")
    with World(port=0 if options.once else options.port) as world:
        try:
            Journey(world, terminal).play()
        except StepFailedError as failure:
            terminal.line(terminal.bad("This is not as it should be. ") + str(failure))
            return 1
        if options.once:
            terminal.line("\n" + terminal.good("The journey is complete."))
            return 0
        terminal.title("8", "Over to you: open the wizard; the service stays up until you press Ctrl-C")
        terminal.field("Wizard", world.wizard())
        terminal.line("For a shell of your own; the AWS keys are the customer's administrator's, who creates roles:")
        terminal.block(f"export URL={world.gateway.url} TOKEN={world.issuer.token(TENANT)}")
        terminal.block(world.exports())
        terminal.block('curl -s $URL/v1/connections -H "Authorization: Bearer $TOKEN"')
        Interrupt().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""AWS for deployments, in a process of its own: plain moto with CloudFormation, S3 and a Lambda that keeps code.

`python -m tests.stack.far_aws` prints its address. `GET /_stored/FUNCTION` gives a function's code back, which on AWS
is behind an address that only AWS serves. The sandbox is not used: it has put its own classes into its process's moto.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from moto.awslambda_simple.models import lambda_simple_backends
from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from sandbox.loopback import LoopbackServer, QuietHandler

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

ACCOUNT = "111122223333"
LACKS = ("AWS::CloudWatch::Alarm", "AWS::ApiGateway::", "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Permission")
"""What moto 5.2.5 has no CloudFormation for, or only half: it makes a RestApi without its body's routes."""


def as_far_as_moto_goes(stack: dict[str, Any]) -> dict[str, Any]:
    """Return the stack without what moto lacks; cfn-lint has seen the whole of it."""
    gone = {name for name, row in stack["Resources"].items() if row["Type"].startswith(LACKS)}
    kept = {name: row for name, row in stack["Resources"].items() if name not in gone}
    # The API's three are there as something else that moto makes: a change of the origin is to be seen in their names.
    stand_ins = {
        name: {"Type": "AWS::SQS::Queue", "Properties": {"Body": {}}} for name in gone if name.startswith("RestAPI")
    }
    outputs = {
        "Address": {"Value": "https://api.example.com"},
        **{name: stack["Outputs"][name] for name in ("PrincipalArn", "TableName")},
    }
    return {**stack, "Resources": {**kept, **stand_ins}, "Outputs": outputs}


def main() -> None:
    """Serve until standard input ends."""
    default_user_config["lambda"] = {"use_docker": False}
    aws = DomainDispatcherApplication(create_backend_app)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/_stored/"):
            found: Iterable[bytes] = aws(environ, start_response)
            return found
        function = lambda_simple_backends[ACCOUNT]["us-east-1"].get_function(path.removeprefix("/_stored/"))
        start_response("200 OK", [("Content-Length", str(len(function.code_bytes)))])
        return [function.code_bytes]

    server = LoopbackServer(answer, 0, QuietHandler)
    server.start()
    print(server.url, flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()

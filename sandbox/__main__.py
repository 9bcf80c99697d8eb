"""`python -m sandbox`: the local AWS and Rolecall on it, on the loopback, until interrupted."""

from __future__ import annotations

import argparse
import json
import sys
from textwrap import indent
from typing import TYPE_CHECKING

from sandbox.interrupt import Interrupt
from sandbox.world import OTHER_TENANT, TENANT, World

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="A local AWS (STS, IAM, DynamoDB, Bedrock) that enforces its rules, and Rolecall on top of it. "
        "Everything is on the loopback and in memory; no AWS account is used.",
    )
    parser.add_argument("--port", type=int, default=8000, help="where Rolecall listens (8000; 0 for any free port)")
    parser.add_argument("--aws-port", type=int, default=8001, help="where the local AWS listens (8001; 0 for any)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON when ready, for programs")
    options = parser.parse_args(arguments)
    interrupt = Interrupt()
    with World(port=options.port, aws_port=options.aws_port) as world:
        print(json.dumps(world.description()) if options.json else _invitation(world), flush=True)
        interrupt.wait()
    return 0


def _invitation(world: World) -> str:
    return f"""Rolecall       {world.gateway.url}
Local AWS      {world.aws.url}
Wizard         {world.wizard()}

Tenant {TENANT}:
  export URL={world.gateway.url} TOKEN={world.issuer.token(TENANT)}

Tenant {OTHER_TENANT}, to see that it sees nothing of the other:
  export OTHER_TOKEN={world.issuer.token(OTHER_TENANT)}

The customer's administrator, for the AWS CLI or boto3 (account {world.accounts.customer.account}):
{indent(world.exports(), "  ")}

Try:
  curl -s $URL/v1/setup -H "Authorization: Bearer $TOKEN"

Ctrl-C ends it; nothing is kept."""


if __name__ == "__main__":
    sys.exit(main())

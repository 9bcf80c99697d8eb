"""`make smoke URL=…`: what no test can show without an AWS account, asked of a real deployment, as one table."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, Final

from urllib3.exceptions import HTTPError

from tools.smoke_checks import CHECKS, Deployment, Failed, Skipped, clean_up

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


def run(deployment: Deployment) -> list[tuple[str, str, str]]:
    """Make every check; return its name, how it ended (ok, FAILED, skipped) and what it saw."""
    rows = []
    for name, check in CHECKS:
        try:
            rows.append((name, "ok", check(deployment)))
        except Skipped as why:
            rows.append((name, "skipped", str(why)))
        except Failed as why:
            rows.append((name, "FAILED", str(why)))
        except (HTTPError, KeyError, TypeError, IndexError) as error:
            # No answer, or one of another shape than the API's: another server, perhaps.
            rows.append((name, "FAILED", f"{type(error).__name__}: {str(error)[:120]}"))
    try:
        left = clean_up(deployment)
    except HTTPError as error:
        left = [str(error)[:120]]
    if left:
        rows.append(("what was made is deleted", "FAILED", ", ".join(left)))
    return rows


def table(rows: Sequence[tuple[str, str, str]]) -> str:
    """Return the rows as people read them."""
    wide = max(len(row[0]) for row in rows)
    return "\n".join(f"{name:<{wide}}  {ended:<7}  {seen}" for name, ended, seen in rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a deployment; returns 0 when nothing failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.smoke",
        description="Check a deployment from outside: gateway texts, CORS, a real AssumeRole denial, a stream end to"
        " end. It makes up to three connections of the token's tenant and deletes them. What is not given is skipped.",
    )
    parser.add_argument("--url", required=True, help="the address that `make deploy` printed")
    parser.add_argument("--origin", default="", help="the value of ALLOWED_ORIGIN")
    parser.add_argument("--customer-account", default="", help="an account of yours, other than the service's")
    parser.add_argument("--connection", default="", help="an active connection of the token's tenant")
    parser.add_argument("--model", default="", help="a model that this connection can call")
    options = parser.parse_args(arguments)
    if not options.url.startswith(("https://", "http://")):
        print("Name the deployment's address: make smoke URL=https://...", file=sys.stderr)
        return 2
    # Not an argument: a token on the command line is in the shell's history and in every list of processes.
    token = os.environ.get("ROLECALL_TOKEN", "").strip().removeprefix("Bearer ")
    if not token:
        print("Set ROLECALL_TOKEN to a token with connections:read, connections:write, models:invoke.", file=sys.stderr)
        return 2
    if not _TOKEN.fullmatch(token):
        # Sent as it is, it would end in an error of the HTTP client, which shows the whole header.
        print(
            "ROLECALL_TOKEN holds no token: three parts of letters, digits, - and _ with dots between.", file=sys.stderr
        )
        return 2
    deployment = Deployment(
        options.url.rstrip("/"), token, options.origin, options.customer_account, options.connection
    )
    if options.model:
        deployment.model = options.model
    try:
        deployment.ask("GET", "/health", token="")
    except HTTPError as error:
        # Said once, not by every check.
        print(f"Nobody answers at {deployment.url}: {str(error)[:200]}", file=sys.stderr)
        return 1
    rows = run(deployment)
    print(table(rows))
    failed = sum(ended == "FAILED" for _, ended, _ in rows)
    print(f"{sum(ended == 'ok' for _, ended, _ in rows)} ok, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

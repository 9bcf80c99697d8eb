"""`make deploy STAGE=prod`: package, upload, show what would change, and change it when somebody says so."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from tools import account as accounts
from tools import bundle, changes, chosen, package, parameters, pythons, template
from tools.package import Package
from tools.pythons import PackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tools.account import Account
    from tools.changes import ChangeSet

ROOT: Final = package.ROOT


def deploy(
    made: Package, account: Account, stage: str, choices: Mapping[str, str], confirm: Callable[[ChangeSet], bool]
) -> dict[str, str] | None:
    """Upload and deploy a package. Returns the outputs, or None when nothing was changed. Raises `PackageError`."""
    bundle.check_size(made.zip)
    stack: dict[str, Any] = json.loads(made.stack.read_text(encoding="utf-8"))
    chosen.check(choices, stack["Parameters"], account, stage)
    stacks = changes.Stacks(account.client("cloudformation"))
    name = f"rolecall-{stage}"
    before, table = stacks.parameters(name), choices.get("EXISTING_TABLE", "")
    if before is None:
        accounts.check_first_deployment(account, stage, choices)
    elif before.get("ExistingTable", "") != table:
        accounts.check_table(account, stage, table)
    bucket = accounts.code_bucket(account, choices.get("CODE_BUCKET", ""))
    key = accounts.file_key(stage, made.zip)
    accounts.upload(account, bucket, key, made.zip.read_bytes())
    named = template.with_choices(
        stack, origin=choices.get("ALLOWED_ORIGIN", ""), domain=choices.get("DOMAIN_NAME", "")
    )
    final = made.stack.with_name("deployed-stack.json")
    final.write_text(json.dumps(named, separators=(",", ":")), encoding="utf-8")
    address = accounts.upload(account, bucket, accounts.file_key(stage, final), final.read_bytes())
    values = chosen.stack_parameters(choices, bucket, key)
    proposed = stacks.propose(name, address, values, f"deploy-{secrets.token_hex(6)}")
    if proposed is None:
        return None
    old = name if before is None else before.get("ExistingTable") or name
    if before is not None and old != (table or name):
        proposed = replace(proposed, tables=(old, table or name))
    if not confirm(proposed):
        stacks.withdraw(proposed)
        return None
    if choices.get("CUSTOMER_TEMPLATE_BUCKET"):
        # Not before the yes: customers create roles from what stands there.
        try:
            accounts.publish_templates(account, choices["CUSTOMER_TEMPLATE_BUCKET"], stage)
        except Exception:
            stacks.withdraw(proposed)
            raise
    return stacks.carry_out(proposed)


def _ask(yes: str, account: Account) -> Callable[[ChangeSet], bool]:
    def confirm(proposed: ChangeSet) -> bool:
        # The account as well: a stack of this name can be in each, and a profile is quickly the wrong one.
        print(f"{'New stack' if proposed.is_new else 'Stack'} {proposed.stack} in {account.id}, {account.region}:")
        print(proposed.table())
        warnings = proposed.warnings()
        if warnings:
            # Customers' trust policies and external IDs hang on these: no switch answers for a person here.
            print("\n".join(warnings))
            return _typed(f"Type {proposed.stack} to do it: ") == proposed.stack
        return yes == "yes" or _typed("Carry this out? [y/N] ").lower() in {"y", "yes"}

    return confirm


def _session() -> boto3.Session:
    # boto3 reads AWS_DEFAULT_REGION alone; the AWS CLI, and with it everybody's habits, put AWS_REGION first.
    try:
        return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    except ProfileNotFound as error:
        raise PackageError(f"{error}. Set AWS_PROFILE to one that `aws configure list-profiles` names.") from error


def _typed(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        return ""


def _told(outputs: Mapping[str, str], stage: str) -> str:
    lines = [
        f"Address:        {outputs.get('Address', '')}",
        f"Principal ARN:  {outputs.get('PrincipalArn', '')}   (customers' trust policies name it)",
        f"Table:          {outputs.get('TableName', '')}",
    ]
    if "CustomerTemplates" in outputs:
        lines.append(f"Templates:      {outputs['CustomerTemplates']}")
    if "DomainTarget" in outputs:
        lines.append(f"DNS:            lead your domain to {outputs['DomainTarget']} (CNAME or alias)")
    lines.append(f"Now check it:   make smoke URL={outputs.get('Address', '')}   (stage {stage})")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.deploy",
        description="Package a stage, upload it, show what would change in its stack, and change it when confirmed."
        " Region and credentials are those of the AWS CLI (AWS_PROFILE, AWS_REGION).",
    )
    parser.add_argument("--stage", required=True, help=f"one of {', '.join(package.stages())}")
    parser.add_argument("--arch", default="arm64", help="arm64 (default) or x86_64")
    parser.add_argument("--python", default="", help="the Python to compile for; by default a 3.13 is looked for")
    parser.add_argument("--settings", type=Path, help="the choices for this stage (deploy/STAGE.env)")
    parser.add_argument("--package", type=Path, help="a folder that tools.package wrote, to be deployed as it is")
    parser.add_argument("--confirm", default="", help="yes: carry the change out without asking")
    options = parser.parse_args(arguments)
    try:
        if options.stage not in package.stages():
            raise PackageError(f"There is no stage {options.stage!r}; there are {', '.join(package.stages())}.")
        choices = chosen.read(options.settings or ROOT / "deploy" / f"{options.stage}.env")
        account = accounts.connect(_session())
        chosen.check(choices, parameters.declared(), account, options.stage)
        if options.package is None:
            out = ROOT / "build" / options.stage
            made = package.build(options.stage, options.arch, pythons.find(options.python), out)
        else:
            made = Package(*(options.package / name for name in ("rolecall.zip", "manifest.json", "stack.json")))
            if not made.zip.is_file() or not made.stack.is_file():
                raise PackageError(f"There is no package in {options.package}; tools.package writes one.")
        outputs = deploy(made, account, options.stage, choices, _ask(options.confirm, account))
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    except (ClientError, BotoCoreError) as error:
        print(f"AWS refused: {error}", file=sys.stderr)
        return 1
    print("Nothing was changed." if outputs is None else _told(outputs, options.stage))
    return 0


if __name__ == "__main__":
    sys.exit(main())

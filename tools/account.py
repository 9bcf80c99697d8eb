"""The operator's AWS account: who is asking, which bucket takes the package, and what a first deployment would meet."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004  botocore's own

from chalicelib.bedrock.regions import REGIONS
from chalicelib.errors import ServiceError
from chalicelib.identifiers import RoleArn, partition_of, partitions
from chalicelib.onboarding.documents.launch import shared_template, template_name
from tools import parameters
from tools.pythons import PackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import boto3

_LOGS_ROLE_HINT: Final = (
    "API Gateway has no role for logs in this account and region. Set GATEWAY_LOGS_ROLE_OF_ACCOUNT=create to have the"
    " stack make one for all APIs of the account, give it one yourself, or set WRITE_ACCESS_LOGS=no."
)


@dataclass(frozen=True, slots=True)
class Account:
    """An account and region, and the clients for them."""

    session: boto3.Session
    id: str
    region: str
    partition: str
    suffix: str

    def client(self, service: str) -> Any:  # boto3 makes its clients at run time
        """Return a boto3 client of this account and region."""
        return self.session.client(  # type: ignore[call-overload]  # the service is a variable
            service, region_name=self.region, config=Config(retries={"mode": "standard"})
        )

    def role_arn(self, stage: str) -> str:
        """Return the ARN of the service role of a stage."""
        return f"arn:{self.partition}:iam::{self.id}:role/rolecall-{stage}"


def connect(session: boto3.Session) -> Account:
    """Return the account that the session's credentials are for. Raises `PackageError` with what to set."""
    region = session.region_name
    if not region:
        raise PackageError("No region is set. Set AWS_REGION, or give your profile one: that is where Rolecall runs.")
    try:
        partition = partition_of(region)
    except ServiceError as error:
        raise PackageError(str(error.message)) from error
    try:
        sts: Any = session.client("sts", region_name=region)
        identity = sts.get_caller_identity()
    except ClientError as error:
        raise PackageError(f"AWS does not take the credentials: {error.response['Error']['Message']}") from error
    except (ConnectionError, HTTPClientError) as error:
        raise PackageError(f"AWS can't be reached in {region}: {error}") from error
    except BotoCoreError as error:
        # None at all, a sign-in that is over, a program that should give them and fails: each says which.
        raise PackageError(
            f"There are no AWS credentials ({error}). Set AWS_PROFILE, or sign in as your organization does."
        ) from error
    return Account(session, identity["Account"], region, partition.id, partition.dns_suffix)


def code_bucket(account: Account, named: str) -> str:
    """Return the bucket for packages. One that is not named is made when it is not there; a named one must be.

    Every call says whose bucket it must be: names are global, and a stranger may have taken the likely one.
    """
    s3 = account.client("s3")
    name = named or f"rolecall-{account.id}-{account.region}"
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.id)
    except ClientError as error:
        missing = error.response["ResponseMetadata"]["HTTPStatusCode"] == 404
        if named or not missing:
            reason = "does not exist" if missing else f"is not one of account {account.id}, or you may not use it"
            raise PackageError(f"The bucket {name} {reason}. Name another in CODE_BUCKET.") from error
        _make_bucket(s3, name, account)
    return name


def _make_bucket(s3: Any, name: str, account: Account) -> None:
    # us-east-1 is the region that must not be named.
    more = (
        {} if account.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": account.region}}
    )
    s3.create_bucket(Bucket=name, **more)
    owner = {"Bucket": name, "ExpectedBucketOwner": account.id}
    s3.put_public_access_block(
        **owner,
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        ),
    )
    s3.put_bucket_versioning(**owner, VersioningConfiguration={"Status": "Enabled"})


def upload(account: Account, bucket: str, key: str, content: bytes) -> str:
    """Put a file into the bucket unless it is there; return its address. `key` holds the content's hash."""
    s3 = account.client("s3")
    owner = {"Bucket": bucket, "ExpectedBucketOwner": account.id}
    try:
        there = s3.head_object(**owner, Key=key)["ContentLength"] == len(content)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        there = False
    if not there:
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        s3.put_object(**owner, Key=key, Body=content, ChecksumSHA256=digest)
    return f"https://{bucket}.s3.{account.region}.{account.suffix}/{key}"


def publish_templates(account: Account, bucket: str, stage: str) -> None:
    """Put the role's templates where customers' consoles read them, one for each region that has Bedrock.

    Raises `PackageError` when a stranger can't read them: the link would lead customers to an error.
    """
    s3 = account.client("s3")
    owner = {"Bucket": bucket, "ExpectedBucketOwner": account.id}
    role = RoleArn.parse(account.role_arn(stage), param="SERVICE_ROLE_ARN")
    regions = next(partition.regions for partition in partitions() if partition.id == account.partition)
    key = ""
    for region in sorted(regions & REGIONS):
        key = f"rolecall-{stage}/{template_name(region)}"
        s3.put_object(**owner, Key=key, Body=shared_template(region, role).encode(), ContentType="text/yaml")
    anybody = account.session.client("s3", region_name=account.region, config=Config(signature_version=UNSIGNED))
    try:
        anybody.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        raise PackageError(
            f"Customers can't read https://{bucket}.s3.{account.region}.{account.suffix}/{key}. Allow s3:GetObject on"
            f" rolecall-{stage}/* to everybody in the bucket's policy (the account's Block Public Access must let that"
            " through), or take CUSTOMER_TEMPLATE_BUCKET out: the documents work without it."
        ) from error


def check_first_deployment(account: Account, stage: str, chosen: Mapping[str, str]) -> None:
    """Raise `PackageError` for what would make a new stack fail half-way, with what to set instead."""
    name = f"rolecall-{stage}"
    problems = _table_problems(account, name, chosen.get("EXISTING_TABLE", ""))
    makes_role = chosen.get("CREATE_SERVICE_ROLE", "yes") == "yes"
    has_role = _found(lambda: account.client("iam").get_role(RoleName=name)) is not None
    if makes_role and has_role:
        problems.append(
            f"The role {name} is there. If it is this stage's in another region, set CREATE_SERVICE_ROLE=no."
        )
    if not makes_role and not has_role:
        problems.append(f"There is no role {name} yet: the first region's stack must make it.")
    if chosen.get("WRITE_ACCESS_LOGS", "yes") == "yes" and chosen.get("GATEWAY_LOGS_ROLE_OF_ACCOUNT") != "create":
        told = account.client("apigateway").get_account()
        if not told.get("cloudwatchRoleArn"):
            problems.append(_LOGS_ROLE_HINT)
    if problems:
        raise PackageError("The stack can't be made:\n" + "\n".join(f"  - {problem}" for problem in problems))


def check_table(account: Account, stage: str, existing: str) -> None:
    """Raise `PackageError` when a stack that is there could not take this table: EXISTING_TABLE, or its own when ""."""
    problems = _table_problems(account, f"rolecall-{stage}", existing)
    if problems:
        raise PackageError("The stack can't be changed: " + problems[0])


def _table_problems(account: Account, name: str, existing: str) -> list[str]:
    found = _found(lambda: account.client("dynamodb").describe_table(TableName=existing or name))
    if not existing:
        left = f"The table {name} is there, left by an earlier stack. Set EXISTING_TABLE={name} to take it up again."
        return [] if found is None else [left]
    if found is None:
        return [f"There is no table {existing} in {account.region}, which EXISTING_TABLE names."]
    table, own = found["Table"], parameters.table()
    indexes = {index["IndexName"]: index["KeySchema"] for index in table.get("GlobalSecondaryIndexes", [])}
    if table["KeySchema"] != own["KeySchema"]:
        return [f"The table {existing}, which EXISTING_TABLE names, is none of Rolecall's: it has other keys."]
    return [
        f"The table {existing} has not the index {index['IndexName']}, without which no role is verified again."
        " Restore it with its indexes."
        for index in own["GlobalSecondaryIndexes"]
        if indexes.get(index["IndexName"]) != index["KeySchema"]
    ]


def _found(ask: Callable[[], Any]) -> Any:
    """Return what AWS answers, or None when it says that there is no such thing."""
    try:
        return ask()
    except ClientError as error:
        if error.response["Error"]["Code"] in {"ResourceNotFoundException", "NoSuchEntity"}:
            return None
        raise


def file_key(stage: str, path: Path) -> str:
    """Return where a file goes in the bucket: the same content always to the same place."""
    return f"{stage}/{hashlib.sha256(path.read_bytes()).hexdigest()}{path.suffix}"

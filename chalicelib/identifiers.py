"""Names that come from outside, parsed once and trusted afterwards.

Each class has one constructor for foreign text, `parse`, which raises `ServiceError` (422 at the edge) and says what
is wrong with the text itself. Nothing here asks AWS. Sources: IAM quotas and identifiers (docs.aws.amazon.com, "IAM
and STS quotas"), STS AssumeRole (API reference), botocore's partition data.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import botocore

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SAMPLE_ACCOUNTS: Final = frozenset({"123456789012", "000000000000"})
"""Account numbers that documentation prints and nobody owns."""

_PLACEHOLDER: Final = re.compile(r"(?i)[<>{}$]|\b(your|example|placeholder)\b|your[_-]")
_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_ROLE_NAME: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_ROLE_PATH: Final = re.compile(r"/(?:[\w+=,.@-]+/)*", re.ASCII)


class Partition(NamedTuple):
    """One of AWS's separate clouds: `id` as in ARNs, its DNS suffix and the names of its regions."""

    id: str
    dns_suffix: str
    regions: frozenset[str]


@lru_cache(maxsize=1)
def partitions() -> tuple[Partition, ...]:
    """Return AWS's partitions as botocore knows them; 0.8 ms once, where endpoints.json would take 20."""
    text = (Path(botocore.__file__).parent / "data" / "partitions.json").read_text(encoding="utf-8")
    return tuple(
        Partition(row["id"], row["outputs"]["dnsSuffix"], frozenset(r for r in row["regions"] if "global" not in r))
        for row in json.loads(text)["partitions"]
    )


def partition_of(region: str) -> Partition:
    """Return the partition that has this region. An exact match: `xx-nowhere-9` builds a host name like any other."""
    for partition in partitions():
        if region in partition.regions:
            return partition
    raise ServiceError(
        "unknown_region",
        f"{_shown(region)} is not an AWS region.",
        param="region",
        fix="Give the region's code in lower case, for example us-east-1.",
    )


def parse_region(text: str, partition: str) -> str:
    """Return the region when this deployment's partition has it; a role never reaches another partition."""
    found = partition_of(text)
    if found.id != partition:
        raise ServiceError(
            "partition_mismatch",
            f"Region {text} is in partition {found.id}; this service runs in {partition}.",
            param="region",
            fix=f"Choose a region of partition {partition}.",
        )
    return text


def parse_account_id(text: str) -> str:
    """Return the twelve digits; AWS's console prints them with dashes, which are taken off."""
    digits = text.strip(" \t\r\n")
    if re.fullmatch(r"[0-9]{4}-[0-9]{4}-[0-9]{4}", digits, re.ASCII):
        digits = digits.replace("-", "")
    if not _ACCOUNT.fullmatch(digits):
        raise ServiceError(
            "invalid_account_id",
            f"{_shown(text)} is not an AWS account number.",
            param="account_id",
            fix="Give the twelve digits shown in the top right corner of the AWS console.",
        )
    _refuse_sample_account(digits, "account_id")
    return digits


def _refuse_sample_account(account_id: str, param: str) -> None:
    if account_id in SAMPLE_ACCOUNTS:
        raise ServiceError(
            "placeholder",
            f"{account_id} is the account number that examples use.",
            param=param,
            fix="Replace it by the number of your own AWS account.",
        )


@dataclass(frozen=True, slots=True)
class RoleArn:
    """The ARN of an IAM role: `arn:<partition>:iam::<account>:role<path><name>`, path `/` or `/a/b/`, case kept."""

    partition: str
    account_id: str
    path: str
    name: str

    def __str__(self) -> str:
        """Return the ARN as AWS writes it."""
        return f"arn:{self.partition}:iam::{self.account_id}:role{self.path}{self.name}"

    @classmethod
    def parse(cls, text: str, *, param: str = "role_arn") -> RoleArn:
        """Parse what a person pasted: ASCII white space around it is dropped, anything else strange is refused."""
        arn = text.strip(" \t\r\n")
        _refuse_strange_characters(arn, param)
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":
            if _PLACEHOLDER.search(arn):
                raise _placeholder(arn, param)
            raise _not_a_role(arn, param, "It does not begin like an ARN (arn:aws:iam::...).")
        _, partition, service, region, account_id, resource = parts
        kind, slash, rest = resource.partition("/")
        if service == "sts" and kind == "assumed-role" and rest:
            role = f"arn:{partition}:iam::{account_id}:role/{rest.split('/')[0]}"
            raise _not_a_role(arn, param, f"It names a session of a role; the role itself is probably {role}.")
        if service != "iam" or region or kind != "role" or not slash:
            raise _not_a_role(arn, param, f"It names {kind or 'nothing'} of {service or 'no service'}.")
        if partition not in {p.id for p in partitions()}:
            raise _not_a_role(arn, param, f"{_shown(partition)} is not a partition of AWS.")
        if not _ACCOUNT.fullmatch(account_id):
            if _PLACEHOLDER.search(account_id):
                raise _placeholder(arn, param)
            raise _not_a_role(arn, param, "The account number must have twelve digits.")
        _refuse_sample_account(account_id, param)
        return cls(partition, account_id, *_parse_role_path(arn, rest, param))


def _parse_role_path(arn: str, rest: str, param: str) -> tuple[str, str]:
    head, slash, name = rest.rpartition("/")
    path = f"/{head}{slash}"
    if path.startswith("/aws-service-role/"):
        raise ServiceError(
            "service_linked_role",
            f"{_shown(arn)} is a service-linked role, which only an AWS service can assume.",
            param=param,
            fix="Create a role of your own from the documents of this connection.",
            whose_fix="customer",
        )
    if not _ROLE_NAME.fullmatch(name) or not _ROLE_PATH.fullmatch(path) or len(path) > 512:
        if _PLACEHOLDER.search(rest):
            raise _placeholder(arn, param)
        raise _not_a_role(
            arn, param, "A role's name has 1 to 64 letters, digits and +=,.@-_ characters, its path up to 512."
        )
    return path, name


def _refuse_strange_characters(text: str, param: str) -> None:
    # Zero-width and no-break spaces, smart quotes and look-alike letters survive copy and paste unseen.
    for character in text:
        if not "\x21" <= character <= "\x7e":
            name = unicodedata.name(character, f"control character {ord(character)}")
            raise ServiceError(
                "invalid_character",
                f"The text holds {name} (U+{ord(character):04X}), which no ARN has.",
                param=param,
                fix="Copy the ARN again, or type it by hand.",
            )
    if len(text) > 2048:
        raise _not_a_role(text, param, "It is longer than 2,048 characters.")


def _not_a_role(arn: str, param: str, why: str) -> ServiceError:
    return ServiceError(
        "not_a_role_arn",
        f"{_shown(arn)} is not the ARN of an IAM role. {why}",
        param=param,
        fix="Give the role's ARN as the IAM console shows it: arn:aws:iam::<account number>:role/<role name>.",
        whose_fix="customer",
    )


def _placeholder(text: str, param: str) -> ServiceError:
    return ServiceError(
        "placeholder",
        f"{_shown(text)} looks like the placeholder of an example.",
        param=param,
        fix="Replace it by the value of your own AWS account.",
        whose_fix="customer",
    )


def _shown(text: str) -> str:
    """Quote foreign text for a message: bounded, and escaped so that it can't change what a terminal or log shows."""
    return ascii(text if len(text) <= 100 else text[:97] + "...")


def _base32(octets: bytes) -> str:
    return base64.b32encode(octets).decode("ascii").rstrip("=").lower()


@dataclass(frozen=True, slots=True)
class ExternalId:
    """`rolecall-` and 32 characters of lower-case base32: 160 random bits. Made here alone, never from a request."""

    value: str

    PREFIX = "rolecall-"

    def __str__(self) -> str:
        """Return the text that STS compares."""
        return self.value

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> ExternalId:
        """Make one from 20 random bytes."""
        return cls(cls.PREFIX + _base32(random_bytes(20)))


@dataclass(frozen=True, slots=True)
class ConnectionId:
    """`conn-` and 20 characters of lower-case base32 (100 bits). It is part of role and session names, so short."""

    value: str

    _PATTERN = re.compile(r"conn-[a-z2-7]{20}", re.ASCII)

    def __str__(self) -> str:
        """Return the id as the API shows it."""
        return self.value

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> ConnectionId:
        """Make one from 13 random bytes, of which 100 bits are kept."""
        return cls("conn-" + _base32(random_bytes(13))[:20])

    @classmethod
    def parse(cls, text: str) -> ConnectionId | None:
        """Return None for anything else: the caller answers it like an unknown connection."""
        return cls(text) if cls._PATTERN.fullmatch(text) else None

    @property
    def role_name(self) -> str:
        """The name that the documents give the customer's role, so that its ARN follows from the account number."""
        return "RolecallAccess-" + self.value.removeprefix("conn-")


PROFILE_GEOGRAPHIES: Final = frozenset({"us", "eu", "apac", "au", "ca", "jp", "sa", "us-gov", "global"})
"""First parts of the ids of AWS's inference profiles (Bedrock user guide, "Supported Regions and models", 2026-11)."""

_MODEL_ID: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)+(?::[A-Za-z0-9.]{1,16}){0,3}", re.ASCII
)
_MODEL_RESOURCE: Final = re.compile(
    r"(?P<kind>foundation-model|inference-profile|application-inference-profile|provisioned-model|imported-model"
    r"|custom-model-deployment)/(?P<id>[A-Za-z0-9][A-Za-z0-9._:-]{0,255})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ModelId:
    """What Converse calls `modelId`: the id of a model or inference profile, or the ARN of one.

    ARNs may also name an application profile, a provisioned, imported or deployed custom model. Bedrock's own pattern
    lets prompts, prompt routers, SageMaker endpoints and other accounts' resources through; those are refused.
    """

    value: str
    kind: str = "id"
    account_id: str = ""
    region: str = ""

    def __str__(self) -> str:
        """Return the id as the customer wrote it."""
        return self.value

    @property
    def short_id(self) -> str:
        """The id without the ARN around it."""
        return self.value.rpartition("/")[2]

    @property
    def foundation_model_id(self) -> str | None:
        """The foundation model's id where the name tells it: of a model, or of a profile that AWS defines."""
        if self.kind not in {"id", "foundation-model", "inference-profile"}:
            return None
        geography, _, model = self.short_id.partition(".")
        return model if geography in PROFILE_GEOGRAPHIES else self.short_id

    @property
    def is_system_profile(self) -> bool:
        """Whether it is an inference profile that AWS defines, as `us.anthropic.claude-...` is."""
        return self.kind in {"id", "inference-profile"} and self.short_id.partition(".")[0] in PROFILE_GEOGRAPHIES

    @classmethod
    def parse(cls, text: str, *, region: str, account_id: str | None = None, param: str = "model") -> ModelId:
        """Parse an id for calls in `region`. An ARN must be of that region, and of `account_id` when that is known."""
        if len(text) <= 256 and _MODEL_ID.fullmatch(text):
            return cls(text)
        if not text.startswith("arn:") or len(text) > 2048:
            raise _invalid_model(text, param, "It is neither the id of a model or profile nor an ARN.")
        parts = text.split(":", 5)
        resource = _MODEL_RESOURCE.fullmatch(parts[5]) if len(parts) == 6 else None
        if resource is None or parts[2] != "bedrock":
            raise _invalid_model(text, param, "Only ARNs of Bedrock models and inference profiles can be called.")
        if parts[1] != partition_of(region).id or parts[3] not in {region, ""}:
            raise _invalid_model(text, param, f"It is not in {region}, the connection's region.")
        if (resource["kind"] == "foundation-model") == bool(parts[4]):
            raise _invalid_model(text, param, "A foundation model's ARN has no account number; every other one has.")
        if parts[4] and account_id is not None and parts[4] != account_id:
            raise _invalid_model(text, param, "It belongs to another AWS account than the connection's role.")
        return cls(text, resource["kind"], parts[4], parts[3])


def parse_model_scope(ids: Iterable[str], *, region: str, account_id: str | None) -> tuple[str, ...]:
    """Return the model scope, each id once, in the order given; an error names the entry at fault."""
    parsed = (
        ModelId.parse(text, region=region, account_id=account_id, param=f"models.{i}") for i, text in enumerate(ids)
    )
    return tuple(dict.fromkeys(str(model) for model in parsed))


def _invalid_model(text: str, param: str, why: str) -> ServiceError:
    return ServiceError(
        "invalid_model_id",
        f"{_shown(text)} can't be used as a model. {why}",
        param=param,
        fix="Take an id from GET /v1/models.",
    )

"""Models, inference profiles and guardrails of Bedrock, by id or ARN."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.identifiers.regions import partition_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

PROFILE_GEOGRAPHIES: Final = frozenset({"us", "eu", "apac", "au", "ca", "jp", "sa", "us-gov", "global"})
"""First parts of the ids of AWS's inference profiles (Bedrock user guide, "Supported Regions and models", 2026-11)."""

LISTED_AS: Final = "bedrock/"
"""What `GET /v1/models` puts before an id: the provider, as other gateways do."""

_GUARDRAIL: Final = re.compile(
    r"(?:arn:(?P<partition>aws[a-z-]{0,16}):bedrock:(?P<region>[a-z0-9-]{1,20}):(?P<account>[0-9]{12}):guardrail/)?"
    r"[a-z0-9]{1,64}",
    re.ASCII,
)
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
    def may_be(cls, text: str) -> bool:
        """Whether a text has the form of an id or an ARN."""
        return text.startswith("arn:") or _MODEL_ID.fullmatch(text) is not None

    @classmethod
    def is_name(cls, text: str) -> bool:
        """Whether a text can only be a name that someone gave, which has to be looked for."""
        return bool(text) and not cls.may_be(text)

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
        if parts[1] != partition_of(region).id or parts[3] != region:
            raise _invalid_model(text, param, f"It is not in {region}, the connection's region.")
        if (resource["kind"] == "foundation-model") == bool(parts[4]):
            raise _invalid_model(text, param, "A foundation model's ARN has no account number; every other one has.")
        if parts[4] and account_id is not None and parts[4] != account_id:
            raise _invalid_model(text, param, "It belongs to another AWS account than the connection's role.")
        return cls(text, resource["kind"], parts[4], parts[3])


def parse_model_scope(ids: Iterable[str], *, region: str, account_id: str | None) -> tuple[str, ...]:
    """Return the model scope, each id once, in the order given; an error names the entry at fault.

    Ids are also taken as `GET /v1/models` lists them, where people copy them.
    """
    parsed = (
        ModelId.parse(text.removeprefix(LISTED_AS), region=region, account_id=account_id, param=f"models.{i}")
        for i, text in enumerate(ids)
    )
    return tuple(dict.fromkeys(str(model) for model in parsed))


def parse_guardrail(text: str, *, region: str, account_id: str | None) -> str:
    """Return a guardrail's identifier or ARN; an ARN must be of this region, and of the account when that is known."""
    found = _GUARDRAIL.fullmatch(text)
    if found is None or (
        found["partition"] is not None
        and (
            (found["partition"], found["region"]) != (partition_of(region).id, region)
            or account_id not in {None, found["account"]}
        )
    ):
        raise ServiceError(
            "invalid_guardrail",
            f"{shown(text)} is not a guardrail of {region} in the customer's account.",
            param="guardrail.identifier",
            fix="Give the guardrail's id, or its ARN, as the Bedrock console shows it.",
        )
    return text


def _invalid_model(text: str, param: str, why: str) -> ServiceError:
    return ServiceError(
        "invalid_model_id",
        f"{shown(text)} can't be used as a model. {why}",
        param=param,
        fix="Take an id from GET /v1/models.",
    )

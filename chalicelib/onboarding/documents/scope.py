"""What a connection's model scope means in ARNs, as narrow as the length of an IAM policy allows.

A call through an inference profile needs the profile and its foundation model in every region that it leads to
(Bedrock user guide, "Prerequisites for inference profiles"). The regions are known only from the customer's account:
until it was asked, the model is allowed in any region, afterwards in those. Either way it is allowed on that way alone:
`bedrock:InferenceProfileArn` must be the profile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from chalicelib.identifiers import ModelId, partition_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.onboarding.connection import Connection, Routes

ANY: Final = "*"


class Width(NamedTuple):
    """How exactly ids are written: whole (`parts` None), their first parts, or not at all (0).

    `pinned`: foundation models name the profiles that lead to them. Otherwise any of the account's does, which lets
    nothing more in, as a call needs its profile to be allowed as well. `routed`: regions are written out where known.
    """

    parts: int | None
    pinned: bool = False
    routed: bool = False

    def shorten(self, model_id: str) -> str:
        """Return the id, or a pattern: in 2 parts `anthropic.claude-sonnet-4-5-v1:0` is `anthropic.claude-sonnet-*`."""
        if self.parts is None:
            return model_id
        parts = model_id.split("-")
        if self.parts and len(parts) <= self.parts:
            return model_id
        return "-".join([*parts[: self.parts], ANY])


WIDTHS: Final = (
    Width(None, pinned=True, routed=True),
    Width(None, pinned=True),
    Width(None),
    Width(4),
    Width(3),
    Width(2),
    Width(1),
    Width(0),
)
"""From the narrowest on. A hundred long ids do not fit in a policy, so ids are then cut where their families branch."""


class Scope(NamedTuple):
    """What decides the resources of a connection's policies; hashable, so that policies are made once."""

    partition: str
    region: str
    account_id: str | None
    models: tuple[str, ...] | None
    guardrail: str | None
    routes: Routes = ()

    @classmethod
    def of(cls, connection: Connection, *, routed: bool) -> Scope:
        """Return the scope of a connection, with or without where its profiles lead to.

        Its name and its tenant have no part in it.
        """
        guardrail = connection.guardrail.identifier if connection.guardrail else None
        partition = partition_of(connection.region).id
        routes = connection.profile_routes if routed else ()
        return cls(partition, connection.region, connection.account_id, connection.models, guardrail, routes)

    def values(self, account: str, width: Width) -> dict[str, str | list[str]]:
        """Return the values of the marks in `policies/`, with `account` for the customer's account number."""
        resources = _Resources(self, account)
        if self.models is None:
            resources.allow_all()
        for text in self.models or ():
            resources.allow(ModelId.parse(text, region=self.region), width)
        any_system, any_application = resources.profile(ANY), resources.in_account("application-inference-profile", ANY)
        system, application = _once(resources.system_profiles), _once(resources.application_profiles)
        scoped = self.models is not None
        return {
            "partition": self.partition,
            "region": self.region,
            "account_id": account,
            "models": _once(resources.models),
            "system_profiles": system,
            "application_profiles": application,
            "models_behind_system_profiles": _once(resources.behind),
            "models_behind_application_profiles": _once(resources.behind_own),
            "through_system_profiles": system if width.pinned else [any_system],
            "through_application_profiles": (
                [] if not (scoped and application) else application if width.pinned else [any_application]
            ),
            "guardrails": [] if self.guardrail is None else resources.guardrails(self.guardrail),
        }


class _Resources:
    """ARNs as they are gathered."""

    def __init__(self, scope: Scope, account: str) -> None:
        self._bedrock = f"arn:{scope.partition}:bedrock"
        self._region = scope.region
        self._account = account
        self._routes = dict(scope.routes)
        self.models: list[str] = []
        self.system_profiles: list[str] = []
        self.application_profiles: list[str] = []
        self.behind: list[str] = []
        self.behind_own: list[str] = []

    def allow_all(self) -> None:
        self.models.append(self.foundation_model(ANY, ANY))
        self.system_profiles.append(self.profile(ANY))
        self.application_profiles.append(self.in_account("application-inference-profile", ANY))

    def allow(self, model: ModelId, width: Width) -> None:
        if model.is_system_profile or model.kind == "inference-profile":
            # The form alone tells a profile that is named by its ARN, also when its geography is a new one.
            geography, _, behind = model.short_id.partition(".")
            self.system_profiles.append(
                self.profile(f"{geography}.{width.shorten(behind)}" if width.parts != 0 else ANY)
            )
            self.behind += self._leads_to(model, width) or [self.foundation_model(ANY, width.shorten(behind or ANY))]
        elif model.kind in {"id", "foundation-model"}:
            self.models.append(self.foundation_model(self._region, width.shorten(model.short_id)))
        else:
            arn = str(model) if width.parts != 0 else self.in_account(model.kind, ANY)
            if model.kind == "application-inference-profile":
                self.application_profiles.append(arn)
                self.behind_own += self._leads_to(model, width) or [self.foundation_model(ANY, ANY)]
            else:
                self.models.append(arn)

    def _leads_to(self, model: ModelId, width: Width) -> tuple[str, ...]:
        return self._routes.get(str(model), ()) if width.routed else ()

    def foundation_model(self, region: str, model_id: str) -> str:
        return f"{self._bedrock}:{region}::foundation-model/{model_id}"

    def profile(self, profile_id: str) -> str:
        return self.in_account("inference-profile", profile_id)

    def in_account(self, kind: str, name: str) -> str:
        return f"{self._bedrock}:{self._region}:{self._account}:{kind}/{name}"

    def guardrails(self, identifier: str) -> list[str]:
        # A guardrail that works across regions is applied through a guardrail profile, in the regions that it leads to.
        arn = identifier if identifier.startswith("arn:") else self.in_account("guardrail", identifier)
        return [arn, f"{self._bedrock}:{ANY}:{self._account}:guardrail-profile/*"]


def _once(arns: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(arns))

"""Whose credentials a request goes out with: a connection's, or a key's that came in its headers, and no other's.

Nothing of `providers/` is loaded before the first request that brings a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.bedrock.wire import Wire
    from chalicelib.identifiers.providers import Provider as ProviderName
    from chalicelib.providers.anthropic_messages import AnthropicMessages
    from chalicelib.providers.base import Provider
    from chalicelib.providers.bedrock import Bedrock
    from chalicelib.providers.credentials import ApiKey, AwsKeys, AzureKey, BedrockKey, Credential
    from chalicelib.providers.openai_embeddings import OpenAiEmbeddings
    from chalicelib.providers.outgoing import Outgoing
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.exchange import Request
    from chalicelib.routes.rejections import RejectedKeys
    from chalicelib.settings import Settings

CONNECTION: Final = "Rolecall-Connection"
PROVIDER: Final = "Rolecall-Provider"
HEADERS: Final = {
    "provider": PROVIDER,
    "key": "Rolecall-Provider-Key",
    "endpoint": "Rolecall-Azure-Endpoint",
    "access_key_id": "Rolecall-AWS-Access-Key-Id",
    "secret_access_key": "Rolecall-AWS-Secret-Access-Key",
    "session_token": "Rolecall-AWS-Session-Token",
    "region": "Rolecall-Region",
}
"""The parts of a credential by the headers that carry them."""
_KNOWN: Final = frozenset(name.lower() for name in (CONNECTION, *HEADERS.values()))
_SECRETIVE: Final = ("key", "secret", "token", "credential", "password", "endpoint")


class OwnKeys:
    """Turns the headers of a request into the provider that it goes to."""

    def __init__(self, settings: Settings, wire: Wire, rejections: RejectedKeys) -> None:
        self._settings = settings
        self._rejections = rejections
        self._wire = wire
        self._outgoing: Outgoing | None = None

    def provider(self, request: Request, caller: Caller) -> tuple[ProviderName, Provider] | None:
        """Return the provider that the request's key is for, and its name; None when the request names no key.

        Raises as `sent` does.
        """
        credential = self.sent(request, caller)
        return None if credential is None else (credential.provider, self.connect(credential))

    def sent(self, request: Request, caller: Caller) -> Credential | None:
        """Return the credential that came with the request; None when it names no key.

        Raises `ServiceError` for every combination that leaves open whose credentials would be used.
        """
        _refuse_misspelt(request)
        found = {part: request.header(name.lower()) for part, name in HEADERS.items()}
        parts = {part: SecretStr(text) for part, text in found.items() if text is not None}
        if not parts:
            return None
        if request.header(CONNECTION.lower()) is not None:
            raise ServiceError(
                "two_credentials",
                "The request names a connection and a key. Nothing was sent to anyone.",
                param=CONNECTION,
                fix="Send one of the two.",
            )
        name = parts.pop("provider", None)
        if name is None:
            raise ServiceError(
                "provider_required",
                "A part of a key was sent, and not whose key it is.",
                param=PROVIDER,
                fix=f"Send {PROVIDER} as well: bedrock, openai, anthropic, google or azure.",
            )
        self._rejections.admit(caller)
        return self.credential(name.get_secret_value().strip(), parts, HEADERS)

    def credential(self, provider: str, sent: Mapping[str, SecretStr], names: Mapping[str, str]) -> Credential:
        """Return the credential of these parts. Raises `ServiceError`; `names` says what the caller calls each."""
        from chalicelib.providers.credentials import Parts, parse_credential  # noqa: PLC0415  see above

        return parse_credential(provider, Parts(names, **sent), partition=self._settings.service_role.partition)

    def connect(self, credential: Credential) -> Provider:
        """Return the provider with this credential. Opens nothing."""
        from chalicelib.providers import connect  # noqa: PLC0415
        from chalicelib.providers.standard import ModelRule  # noqa: PLC0415

        rule = ModelRule(self._settings.openai_chat_models)
        return connect(credential, outgoing=self._way_out(), wire=self._wire, rule=rule)

    def bedrock(self, credential: AwsKeys | BedrockKey) -> Bedrock:
        """Return Bedrock with keys of AWS, to be called in its own words. Opens nothing."""
        from chalicelib.providers.bedrock import Bedrock  # noqa: PLC0415

        return Bedrock(credential, self._wire)

    def anthropic(self, credential: ApiKey) -> AnthropicMessages:
        """Return Anthropic with this key, to be called in its own words. Opens nothing."""
        from chalicelib.providers.anthropic_messages import AnthropicMessages  # noqa: PLC0415

        return AnthropicMessages(credential, self._way_out())

    def embeddings(self, credential: ApiKey | AzureKey) -> OpenAiEmbeddings:
        """Return what embeds on OpenAI's wire with this key. Opens nothing."""
        from chalicelib.providers.openai_embeddings import OpenAiEmbeddings  # noqa: PLC0415

        return OpenAiEmbeddings(credential, self._way_out())

    def _way_out(self) -> Outgoing:
        if self._outgoing is None:
            from chalicelib.providers.outgoing import Outgoing  # noqa: PLC0415

            # Two threads may make one each; the second stays, the first goes with its request.
            self._outgoing = Outgoing(proxy=self._settings.proxy_url, local=self._settings.local_addresses)
        return self._outgoing


def _refuse_misspelt(request: Request) -> None:
    """Refuse what looks like a key in a header that we have not: the request would go out with another credential."""
    for name in request.header_names():
        if name.startswith("rolecall-") and name not in _KNOWN and any(part in name for part in _SECRETIVE):
            raise ServiceError(
                "unknown_field",
                "There is no such header. Nothing was sent to anyone.",
                param=name[:64],
                fix=f"The parts of a key are {', '.join(HEADERS.values())}.",
            )

"""The fourth room: chats with a key that arrives with a request and leaves with it. One question, several answers.

`connect` loads a provider's adapter when it is first needed: a service whose tenants all use roles pays for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.bedrock.wire import Wire
    from chalicelib.providers.base import Provider
    from chalicelib.providers.credentials import Credential
    from chalicelib.providers.outgoing import Outgoing
    from chalicelib.providers.standard import ModelRule


def connect(credential: Credential, *, outgoing: Outgoing, wire: Wire, rule: ModelRule) -> Provider:
    """Return the provider that this credential is for. Opens nothing."""
    if credential.provider == "bedrock":
        from chalicelib.providers.bedrock import Bedrock  # noqa: PLC0415  see above

        return Bedrock(credential, wire)
    if credential.provider == "azure":
        from chalicelib.providers.openai import OpenAi  # noqa: PLC0415

        return OpenAi(credential, outgoing, rule)
    if credential.provider == "anthropic":
        from chalicelib.providers.anthropic import Anthropic  # noqa: PLC0415

        return Anthropic(credential, outgoing)
    from chalicelib.providers.openai import OpenAi  # noqa: PLC0415

    return OpenAi(credential, outgoing, rule)

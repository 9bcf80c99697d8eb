"""Keys that come with a request, in the headers that an app sends them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.providers import AZURE_HOST

if TYPE_CHECKING:
    from sandbox.providers.server import FakeProvider
    from sandbox.world import World

AZURE_ENDPOINT = f"https://{AZURE_HOST}"


def of_provider(world: World, provider: str, switch: str | None = None) -> dict[str, str]:
    """Return the headers with a key that the fake of a provider takes, or one of an account in another state."""
    fake: FakeProvider = getattr(world.providers, provider)
    headers = {
        "Rolecall-Provider": provider,
        "Rolecall-Provider-Key": fake.key if switch is None else fake.key_for(switch),
    }
    return headers | ({"Rolecall-Azure-Endpoint": AZURE_ENDPOINT} if provider == "azure" else {})


def of_aws(world: World, **more: str) -> dict[str, str]:
    """Return the headers with the access keys of the customer's administrator."""
    keys = world.accounts.customer
    return {
        "Rolecall-Provider": "bedrock",
        "Rolecall-AWS-Access-Key-Id": keys.access_key_id,
        "Rolecall-AWS-Secret-Access-Key": keys.secret_access_key,
        "Rolecall-Region": "us-east-1",
        **more,
    }


def of_bedrock(world: World) -> dict[str, str]:
    """Return the headers with a Bedrock API key of the customer's account."""
    return {
        "Rolecall-Provider": "bedrock",
        "Rolecall-Provider-Key": world.accounts.bedrock_key,
        "Rolecall-Region": "us-east-1",
    }

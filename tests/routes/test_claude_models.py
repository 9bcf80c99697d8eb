"""Claude models as Anthropic's clients list them, at the address where OpenAI's clients list all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

from tests.far_customer import Onboarding
from tests.own_keys import of_aws, of_provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.world import World
    from tests.far_customer import Answer

VERSION = {"anthropic-version": "2023-06-01"}
NAME = "claude-haiku-4-5-20251001"
GLOBAL = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
NOT_YET = {"model_use_case_required", "model_legacy"}
HI: dict[str, Any] = {"max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def client(tenant: Onboarding) -> Iterator[anthropic.Anthropic]:
    """Give Anthropic's client, which sends the token as `x-api-key`."""
    with anthropic.Anthropic(base_url=tenant.api.url, api_key=tenant.api.token, max_retries=0) as made:
        yield made


def _get(tenant: Onboarding, path: str = "/v1/models", more: Mapping[str, str] = VERSION) -> Answer:
    return tenant.api.call("GET", path, headers={**VERSION, **more})


def test_anthropics_client_lists_what_its_messages_can_name(tenant: Onboarding, client: anthropic.Anthropic) -> None:
    """Each Claude once, newest first, by the name that Anthropic has for it; and each of them is found."""
    models = list(client.models.list())
    ids = [model.id for model in models]

    assert NAME in ids
    assert len(set(ids)) == len(ids) >= 3
    assert {model.lifecycle for model in models} <= {"active", "deprecated"}
    assert all(model.type == "model" and model.display_name for model in models)
    # Profiles that other tests made come last.
    named = [model for model in models if "/" not in model.id]
    assert models[: len(named)] == named
    # And first those of 2026, whose names tell no date.
    days = [model.created_at.date() for model in named]
    dated = [day for day in days if day.year > 1970]
    assert days == [day for day in days if day.year == 1970] + sorted(dated, reverse=True)
    assert len(dated) < len(days)
    answers = {name: tenant.api.post("/v1/messages", {**HI, "model": name}) for name in ids}
    assert answers[NAME].status == 200
    # The customer has still to ask for some of them, and some are old; each is known by its name.
    assert {answer.error["code"] for answer in answers.values() if answer.status != 200} <= NOT_YET


def test_openais_clients_get_their_own_list(tenant: Onboarding) -> None:
    """The header that Anthropic's API requires, and no other has, tells who asks."""
    with openai.OpenAI(base_url=f"{tenant.api.url}/v1", api_key=tenant.api.token, max_retries=0) as client:
        ids = [model.id for model in client.models.list()]

    assert f"bedrock/{GLOBAL}" in ids
    assert NAME not in ids
    assert any("nova" in one for one in ids)


def test_a_list_is_read_page_by_page(tenant: Onboarding, client: anthropic.Anthropic) -> None:
    """Forwards and backwards, as Anthropic's pages go."""
    ids = [model.id for model in client.models.list()]
    second = client.models.list(limit=2, after_id=ids[1])
    first = client.models.list(limit=1, before_id=second.first_id or "")

    assert [model.id for model in client.models.list(limit=1)] == ids
    assert ([model.id for model in second.data], second.first_id) == (ids[2:4], ids[2])
    assert ([model.id for model in first.data], first.has_more) == ([ids[1]], True)
    assert _get(tenant, f"/v1/models?after_id={ids[-1]}").json == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


@pytest.mark.parametrize("wanted", [NAME, "claude-haiku-4-5", "claude-haiku-4-5-latest", GLOBAL, f"bedrock/{GLOBAL}"])
def test_one_is_shown_by_whatever_name_messages_take(client: anthropic.Anthropic, wanted: str) -> None:
    """Under that name, with the day of its release."""
    model = client.models.retrieve(wanted)

    assert (model.id, model.created_at.date().isoformat()) == (wanted, "2025-10-01")
    assert client.messages.create(**HI, model=wanted).model == wanted


def test_a_model_scope_holds_for_names_too(world: World) -> None:
    """What is not in the scope has no name, however many ways there are to it."""
    tenant = Onboarding(world)
    tenant.make_role()
    assert tenant.verify()["usable"]
    version = tenant.shown()["version"]
    changed = tenant.api.call("PATCH", tenant.path, {"models": [GLOBAL]}, headers={"If-Match": f'"{version}"'})

    assert changed.status == 200
    assert [row["id"] for row in _get(tenant).json["data"]] == [NAME]
    assert "Global" in _get(tenant).json["data"][0]["display_name"]


def test_a_profile_of_the_customers_own_is_listed_by_its_arn(tenant: Onboarding, client: anthropic.Anthropic) -> None:
    """Names are theirs to give, twice too; the ARN is one."""
    bedrock = tenant.customer.client("bedrock")
    source = f"arn:aws:bedrock:us-east-1:{tenant.customer.account}:inference-profile/us.{GLOBAL.partition('.')[2]}"
    made = bedrock.create_inference_profile(inferenceProfileName="coders", modelSource={"copyFrom": source})
    headers = {"Cache-Control": "no-cache"}
    listed = {model.id: model.display_name for model in client.models.list(extra_headers=headers)}
    bedrock.delete_inference_profile(inferenceProfileIdentifier=made["inferenceProfileArn"])

    assert listed[f"bedrock/{made['inferenceProfileArn']}"] == "coders"


def test_a_key_of_anthropics_lists_its_own(world: World, tenant: Onboarding, client: anthropic.Anthropic) -> None:
    """With what Anthropic tells of each; one is found without its date as well."""
    headers = of_provider(world, "anthropic")
    listed = list(client.models.list(extra_headers=headers))
    shown = client.models.retrieve("claude-haiku-4-5", extra_headers=headers)
    gone = _get(tenant, "/v1/models/claude-none", headers)

    assert shown in listed
    assert shown.id == NAME
    assert all(model.max_input_tokens and model.created_at for model in listed)
    assert (gone.status, gone.error["code"]) == (404, "model_not_found")


def test_keys_of_aws_list_and_find_by_name(world: World, client: anthropic.Anthropic) -> None:
    """As a role does: agents send Anthropic's names, whoever's the credentials are."""
    headers = of_aws(world)
    listed = [model.id for model in client.models.list(extra_headers=headers)]
    answer = client.messages.create(**HI, model=NAME, extra_headers=headers)

    assert NAME in listed
    assert client.models.retrieve(NAME, extra_headers=headers).id == answer.model == NAME


def test_a_chat_with_keys_of_aws_finds_by_name_too(world: World, tenant: Onboarding) -> None:
    """And is put in the words of the model that was found: Haiku 4.5 refuses temperature beside top_p."""
    chat = {"model": NAME, "messages": HI["messages"], "temperature": 0.5, "top_p": 0.5}
    answer = tenant.api.call("POST", "/v1/chat/completions", chat, headers=of_aws(world))
    none = tenant.api.call("POST", "/v1/chat/completions", {**chat, "model": "no such"}, headers=of_aws(world))

    assert (answer.status, answer.json["model"]) == (200, NAME)
    assert "top_p" in answer.headers["Rolecall-Ignored-Fields"]
    assert (none.status, none.error["code"]) == (404, "model_not_found")


def test_keys_of_others_are_told_where_they_are_taken(world: World, tenant: Onboarding) -> None:
    """They have no Claude, and are sent nowhere."""
    refused = _get(tenant, more=of_provider(world, "openai"))

    assert (refused.status, refused.error["code"]) == (400, "provider_not_supported")


@pytest.mark.parametrize(
    ("path", "status", "code", "param"),
    [
        ("/v1/models/amazon.nova-lite-v1:0", 404, "model_not_found", "model"),
        ("/v1/models/claude-none", 404, "model_not_found", "model"),
        ("/v1/models?limit=0", 400, "invalid_value", "limit"),
        ("/v1/models?limit=1001", 400, "invalid_value", "limit"),
        ("/v1/models?limit=two", 400, "invalid_value", "limit"),
        ("/v1/models?limit=1&limit=2", 400, "invalid_value", "limit"),
        ("/v1/models?after_id=claude-none", 400, "invalid_value", "after_id"),
        ("/v1/models?before_id=claude-none", 400, "invalid_value", "before_id"),
        (f"/v1/models?before_id={NAME}&after_id={NAME}", 400, "invalid_value", "after_id"),
    ],
)
def test_what_cant_be_listed_is_told_in_anthropics_form(
    tenant: Onboarding, path: str, status: int, code: str, param: str
) -> None:
    """With the code, the parameter and the request's id where its clients look."""
    refused = _get(tenant, path)

    assert (refused.status, refused.error["code"], refused.error["param"]) == (status, code, param)
    assert (refused.json["type"], refused.json["request_id"]) == ("error", refused.headers["Request-Id"])


def test_without_a_token_either_client_is_told_in_its_own_form(tenant: Onboarding) -> None:
    """A header that only names a version opens nothing."""
    for headers, outermost in ((VERSION, {"type", "error", "request_id"}), ({}, {"error"})):
        refused = type(tenant.api)(tenant.api.url, None).call("GET", "/v1/models", headers=headers)
        assert (refused.status, refused.error["code"], set(refused.json)) == (401, "missing_token", outermost)

"""The catalogs that are remembered: for how long, for whom, and what drops them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib.bedrock.catalog import Catalog, Model, of_scope
from tests.far_customer import Onboarding

if TYPE_CHECKING:
    from sandbox.world import World

LISTS = {"ListFoundationModels", "ListInferenceProfiles"}


def _calls(world: World) -> int:
    return sum(call["operation"] in LISTS for call in world.aws.calls.rows())


def _active(world: World, **more: object) -> Onboarding:
    tenant = Onboarding(world, **more)  # type: ignore[arg-type]
    tenant.make_role()
    assert tenant.verify()["verdict"] == "verified"
    return tenant


def test_a_list_is_asked_for_once(world: World) -> None:
    """A second request costs AWS nothing, one that wants the list of this moment does, and so does another tenant's."""
    tenant, other = _active(world), _active(world)
    before = _calls(world)
    first = tenant.api.get("/v1/models").text
    after_first = _calls(world)
    second = tenant.api.get("/v1/models").text
    after_second = _calls(world)
    other.api.get("/v1/models")

    assert (after_first - before, after_second - after_first, _calls(world) - after_second) == (3, 0, 3)
    assert first == second


def test_half_a_list_is_answered_and_not_remembered(world: World) -> None:
    """What failed for a moment must not hide models for minutes."""
    tenant = _active(world)
    world.aws.faults.add(
        {"service": "bedrock", "operation": "ListFoundationModels", "kind": "error", "code": "AccessDeniedException"}
    )
    half = {model["id"] for model in tenant.api.get("/v1/models").json["data"]}
    whole = {model["id"] for model in tenant.api.get("/v1/models").json["data"]}

    assert half
    assert "bedrock/amazon.nova-lite-v1:0" in whole - half


def test_a_change_of_the_connection_drops_the_list(world: World) -> None:
    """What a role could do under another version says nothing of this one."""
    tenant = _active(world)
    tenant.api.get("/v1/models")
    before = _calls(world)
    version = {"If-Match": str(tenant.shown()["version"])}
    scope = {"models": ["amazon.nova-lite-v1:0"]}
    assert tenant.api.call("PATCH", tenant.path, scope, headers=version).status == 200
    listed = tenant.api.get("/v1/models").json["data"]

    assert [model["id"] for model in listed] == ["bedrock/amazon.nova-lite-v1:0"]
    assert _calls(world) == before + 3


def test_a_role_that_may_not_list_shows_its_scope(world: World) -> None:
    """It may still invoke, by ids that the connection names; without a scope the denial is told."""
    for scope in (["amazon.nova-lite-v1:0"], None):
        tenant = _active(world, models=scope)
        invoke = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}
        tenant.put_permissions({"Version": "2012-10-17", "Statement": [invoke]})
        answer = tenant.api.get("/v1/models")
        chat = {"model": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": "Hi"}]}

        assert tenant.api.post("/v1/chat/completions", chat).status == 200
        if scope is None:
            assert (answer.status, answer.error["code"]) == (403, "role_permission_denied")
        else:
            assert [model["id"] for model in answer.json["data"]] == [f"bedrock/{scope[0]}"]


def _profile(name: str, number: str) -> Model:
    arn = f"arn:aws:bedrock:us-east-1:444455556666:application-inference-profile/{number}"
    return Model(arn, name, "Amazon", "amazon.nova-lite-v1:0", True, (), (), None, "ACTIVE", ("us-east-1",))


NAMES = {
    "an id": ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
    "a name": ("team", _profile("team", "a1").id),
    "a short id": ("a1", _profile("team", "a1").id),
    "a name that two have": ("twin", None),
    "a name that nobody has": ("none", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("name", "found"), NAMES.values(), ids=NAMES)
def test_a_model_is_found_by_its_id_or_its_one_name(name: str, found: str | None) -> None:
    """A name that leaves open which profile is meant finds none."""
    profiles = (_profile("team", "a1"), _profile("twin", "b2"), _profile("twin", "c3"))
    model = Catalog((*of_scope(["amazon.nova-lite-v1:0"], "us-east-1").models, *profiles)).find(name)

    assert (model and model.id) == found


def _claude(model_id: str, foundation_model: str) -> Model:
    profile = model_id != foundation_model
    return Model(model_id, model_id, "Anthropic", foundation_model, profile, (), (), None, "ACTIVE", ("us-east-1",))


HAIKU, SONNET_4, OLD, NEW = (
    f"anthropic.claude-{name}"
    for name in (
        "haiku-4-5-20251001-v1:0",
        "sonnet-4-20250514-v1:0",
        "3-5-sonnet-20240620-v1:0",
        "3-5-sonnet-20241022-v2:0",
    )
)
CLAUDES = Catalog(
    (
        *(_claude(model, model) for model in (OLD, NEW, f"{NEW}:200k")),
        *(_claude(f"{place}.{HAIKU}", HAIKU) for place in ("us", "global")),
        _claude(f"us.{NEW}", NEW),
        _claude(f"global.{SONNET_4}", SONNET_4),
        _claude("us.anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6"),
        _claude("arn:aws:bedrock:us-east-1:444455556666:application-inference-profile/a1", HAIKU),
    )
)
ANTHROPICS_NAMES = {
    "with its date": ("claude-haiku-4-5-20251001", f"us.{HAIKU}"),
    "without": ("claude-haiku-4-5", f"us.{HAIKU}"),
    "the latest, and no longer context that is paid for ahead": ("claude-3-5-sonnet-latest", NEW),
    "an older one by its date": ("claude-3-5-sonnet-20240620", OLD),
    "one that only a global profile has": ("claude-sonnet-4", f"global.{SONNET_4}"),
    "one that has no date": ("claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-6"),
    "another day": ("claude-haiku-4-5-20251002", None),
    "half a name": ("claude-haiku", None),
    "no name at all": ("claude-", None),
    "one of another maker": ("nova-lite", None),
}


@pytest.mark.parametrize(("name", "found"), ANTHROPICS_NAMES.values(), ids=ANTHROPICS_NAMES)
def test_a_claude_is_found_by_anthropics_own_name(name: str, found: str | None) -> None:
    """The newest of its name; in the region itself before its part of the world, and that before the whole."""
    model = CLAUDES.find(name)

    assert (model and model.id) == found

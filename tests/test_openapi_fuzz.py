"""Whatever is sent to whatever route, the answer is one that the document tells, and never a fault of ours."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract import contract
from tests.far_customer import Api, Onboarding

if TYPE_CHECKING:
    from sandbox.world import World

OPERATIONS = {about["operationId"]: (method, path, about) for method, path, about in contract().operations()}
WITH_BODY = [name for name, (_, _, about) in OPERATIONS.items() if "requestBody" in about]
SLOW = {"verify_connection"}
"""Each of these may be a run of all checks."""

texts = st.text(max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
_tenants = itertools.count()


@pytest.fixture(scope="module")
def tenant(world: World) -> Onboarding:
    """Give a tenant with an active connection: what is well-formed goes all the way."""
    onboarding = Onboarding(world, tenant=f"fuzz-{next(_tenants)}")
    onboarding.make_role()
    onboarding.verify()
    return onboarding


def _mutated(draw: st.DrawFn, value: Any) -> Any:
    """Return a JSON value with one place of it replaced, left out, or with something beside it."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        name = draw(st.sampled_from(sorted(value)))
        what = draw(st.sampled_from(["deeper", "replace", "leave out", "rename"]))
        rest = {key: inner for key, inner in value.items() if key != name}
        if what == "leave out":
            return rest
        if what == "rename":
            return rest | {draw(texts): value[name]}
        return rest | {name: draw(values) if what == "replace" else _mutated(draw, value[name])}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        return [_mutated(draw, value[0]), *value[1:]]
    return draw(values)


@st.composite
def bodies(draw: st.DrawFn, operation: str) -> Any:
    """Give a body that is nearly one of the documented examples."""
    content = OPERATIONS[operation][2]["requestBody"]["content"]["application/json"]
    example = draw(st.sampled_from([one["value"] for one in content["examples"].values()]))
    return _mutated(draw, example)


def _path(path: str, tenant: Onboarding) -> str:
    return path.replace("{connection_id}", str(tenant.connection["id"])).replace("{file}", "trust-policy.json")


@pytest.mark.parametrize("operation", WITH_BODY)
def test_no_body_is_too_strange(tenant: Onboarding, operation: str) -> None:
    """A body that is not as it must be is refused with a code of the route; one that is gets its answer."""
    method, path, _ = OPERATIONS[operation]

    @settings(
        max_examples=8 if operation in SLOW else 40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(bodies(operation))
    def strange(body: Any) -> None:
        raw = json.dumps(body).encode()
        # The call itself holds the answer against the document.
        answer = tenant.api.call(method.upper(), _path(path, tenant), raw=raw, headers={"If-Match": '"0"'})
        assert answer.status != 500, answer.text

    strange()


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "delete_connection"])
def test_no_parameter_is_too_strange(world: World, operation: str) -> None:
    """What is no id, no cursor, no number and no header's value is refused with a code of the route."""
    method, path, about = OPERATIONS[operation]
    api = Api(world.gateway.url, world.issuer.token(f"fuzz-{next(_tenants)}"))
    headers = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30).map(str.strip)

    @settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def strange(data: st.DataObject) -> None:
        address, query, sent = path, [], {}
        for one in about.get("parameters", []):
            if one["in"] == "path":
                text = data.draw(texts.filter(lambda text: text not in {"", ".", ".."}))
                address = address.replace(f"{{{one['name']}}}", quote(text, safe="", errors="replace"))
            elif data.draw(st.booleans()) and one["in"] == "query":
                query.append(f"{one['name']}={quote(data.draw(texts), errors='replace')}")
            elif data.draw(st.booleans()):
                sent[one["name"]] = data.draw(headers)
        answer = api.call(method.upper(), address + (f"?{'&'.join(query)}" if query else ""), headers=sent)
        assert answer.status != 500, answer.text

    strange()

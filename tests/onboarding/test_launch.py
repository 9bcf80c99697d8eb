"""The quick-create link, and the template that it leads to."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
import yaml
from chalice.test import Client

from chalicelib.bedrock.regions import REGIONS
from chalicelib.identifiers import RoleArn, partition_of
from chalicelib.onboarding.documents.launch import shared_template
from chalicelib.routes import create_app
from chalicelib.services import Services
from tests.far_customer import Api, Onboarding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.world import World

PLACE = "https://templates.s3.us-east-1.amazonaws.com/rolecall-prod"
ROLE = RoleArn("aws", "111122223333", "/", "rolecall-prod")


@pytest.fixture
def documents(world: World) -> Callable[[Onboarding], dict[str, Any]]:
    """Give what a deployment with a bucket for templates answers of a connection's documents."""
    settings = replace(world.settings, customer_templates=PLACE)
    app = create_app(Services(settings, session=world.accounts.service_session(world.aws.url, "us-east-1")))

    def ask(customer: Onboarding) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {customer.api.token}"}
        answer: dict[str, Any] = Client(app).http.get(f"{customer.path}/documents", headers=headers).json_body
        return answer

    return ask


def test_the_link_opens_the_console_with_this_connections_values(
    world: World, documents: Callable[[Onboarding], dict[str, Any]]
) -> None:
    """In the connection's region, with the role's name and the external ID; nothing is left to be typed."""
    customer = Onboarding(world, region="eu-central-1")

    home, _, rest = documents(customer)["quick_create_url"].partition("#/stacks/quickcreate?")

    assert home == "https://eu-central-1.console.aws.amazon.com/cloudformation/home?region=eu-central-1"
    assert parse_qs(rest) == {
        "templateURL": [f"{PLACE}/customer-role-eu-central-1.cfn.yaml"],
        "stackName": [customer.role_name],
        "param_RoleName": [customer.role_name],
        "param_ExternalId": [customer.connection["external_id"]],
    }


def test_there_is_no_link_where_the_shared_template_would_be_the_wrong_one(
    world: World, documents: Callable[[Onboarding], dict[str, Any]]
) -> None:
    """A model scope or a guardrail has permissions of its own; without a bucket there is nothing to lead to."""
    scoped = Onboarding(world, models=["amazon.nova-lite-v1:0"])
    guarded = Onboarding(world, guardrail={"identifier": "abcdefghijkl", "version": "1"})
    assert "quick_create_url" not in documents(scoped)
    assert "quick_create_url" not in documents(guarded)

    plain = Onboarding(world)
    assert "quick_create_url" in documents(plain)
    assert "quick_create_url" not in plain.api.get(f"{plain.path}/documents").json


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: {suffix: loader.construct_scalar(node)})


def test_the_template_asks_for_what_is_a_connections_own() -> None:
    """It names our role and no external ID: who deploys it without one is asked for it."""
    template = yaml.load(shared_template("eu-central-1", ROLE), _Loader)  # noqa: S506  a loader made of SafeLoader

    parameters = template["Parameters"]
    assert {name for name, row in parameters.items() if "Default" not in row} == {"RoleName", "ExternalId"}
    assert parameters["TrustedRoleArn"]["Default"] == str(ROLE)
    [policy] = template["Resources"]["RolecallRole"]["Properties"]["Policies"]
    text = str(policy["PolicyDocument"])
    assert "eu-central-1" in text
    assert "rolecall-" not in text


def test_the_role_of_the_template_is_the_role_of_the_documents(world: World) -> None:
    """The same permissions, statement by statement, as a connection without a scope is given."""
    api = Api(world.gateway.url, world.issuer.token("launch"))
    made = api.post("/v1/connections", {"name": "x", "region": "us-east-1"}).json
    files = api.get(f"/v1/connections/{made['id']}/documents").json["files"]
    theirs = yaml.load(files["customer-role.cfn.yaml"], _Loader)  # noqa: S506  as above
    ours = yaml.load(shared_template("us-east-1", world.settings.service_role), _Loader)  # noqa: S506  as above

    assert ours["Resources"] == theirs["Resources"]


def test_every_regions_template_passes_cfn_lint(tmp_path: Path) -> None:
    """In all regions of AWS's first partition that have Bedrock; two of them are linted."""
    for region in sorted(REGIONS):
        if partition_of(region).id == "aws":
            (tmp_path / f"{region}.yaml").write_text(shared_template(region, ROLE))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from cfnlint.runner import main; main()",
            *(str(tmp_path / f"{region}.yaml") for region in ("us-east-1", "eu-central-1")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")

"""FIPS endpoints: the hosts are those of botocore's rules, and no other host is called in their place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore
import botocore.session
import pytest
from botocore.config import Config
from chalice.test import Client

from chalicelib.bedrock.operations import CONVERSE, CONVERSE_STREAM, DESCRIBE_LIMITS, LIST_FOUNDATION_MODELS
from chalicelib.bedrock.regions import FIPS_REGIONS
from chalicelib.bedrock.signing import Credentials, address
from chalicelib.bedrock.wire import Wire
from chalicelib.errors import ServiceError
from chalicelib.identifiers import FIPS_HOME_REGIONS
from chalicelib.routes import create_app
from chalicelib.services import Services

if TYPE_CHECKING:
    from sandbox.world import World

OPERATIONS = (LIST_FOUNDATION_MODELS, CONVERSE, CONVERSE_STREAM, DESCRIBE_LIMITS)


class _Seen(Exception):  # noqa: N818  what it is
    pass


_CALLS: dict[str, tuple[str, dict[str, str]]] = {
    "bedrock": ("list_foundation_models", {}),
    "bedrock-runtime": ("converse", {"modelId": "m"}),
    "dynamodb": ("describe_limits", {}),
}


def _botocores(service: str, region: str) -> str:
    """Return where botocore would send a call, by its endpoint rules; `meta.endpoint_url` is from an older table."""
    client: Any = boto3.client(  # type: ignore[call-overload]  # the service is a variable
        service,
        region_name=region,
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(use_fips_endpoint=True, account_id_endpoint_mode="disabled"),
    )

    def seen(request: Any, **_: object) -> None:
        raise _Seen(request.url)

    client.meta.events.register("before-send", seen)
    operation, arguments = _CALLS[service]
    with pytest.raises(_Seen) as stopped:
        getattr(client, operation)(**arguments)
    return "/".join(str(stopped.value).split("/")[:3])


@pytest.mark.parametrize("region", sorted(FIPS_REGIONS))
def test_every_host_is_botocores(region: str) -> None:
    """All four kinds of call, in every region that has them."""
    for operation in OPERATIONS:
        ours = address(operation, region, fips=True, model="m")
        assert ours.startswith(f"{_botocores(operation.service, region)}/"), operation.name


def _partitions() -> list[dict[str, Any]]:
    data = Path(botocore.__file__).parent / "data" / "endpoints.json"
    found: list[dict[str, Any]] = json.loads(data.read_text())["partitions"]
    return found


def test_the_regions_are_botocores() -> None:
    """Dated data, held against botocore's of today."""
    both, home = set(), set()
    for partition in _partitions():
        services = partition["services"]
        names = set(services.get("bedrock", {}).get("endpoints", {}))
        both |= {
            name.removeprefix("bedrock-fips-")
            for name in names
            if name.startswith("bedrock-fips-") and name.replace("bedrock-", "bedrock-runtime-", 1) in names
        }
        sts, table = (
            {name.removesuffix("-fips") for name in services[one]["endpoints"] if name.endswith("-fips")}
            for one in ("sts", "dynamodb")
        )
        home |= sts & table

    assert both == FIPS_REGIONS
    assert home == FIPS_HOME_REGIONS


def test_a_region_without_such_an_endpoint_is_refused_and_not_called() -> None:
    """The plain host must never answer in its place."""
    with pytest.raises(ServiceError, match="Bedrock has none in eu-central-1") as refused:
        Wire(fips=True).call(Credentials("a", "b", "c"), "eu-central-1", LIST_FOUNDATION_MODELS)
    assert refused.value.code == "no_fips_endpoint"


def _keys() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.set_credentials("x", "y")
    return session


def test_the_services_own_clients_use_them_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """STS and DynamoDB; and what the environment says of FIPS changes nothing in either direction."""
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "false")
    keys = _keys()
    services = Services(replace(world.settings, use_fips=True, aws_endpoint=None), session=keys)
    assert services.sts("us-east-1").meta.endpoint_url == "https://sts-fips.us-east-1.amazonaws.com"
    assert services.dynamodb.meta.endpoint_url == "https://dynamodb-fips.us-east-1.amazonaws.com"
    in_govcloud = replace(world.settings, use_fips=True, aws_endpoint=None, region="us-gov-west-1")
    clients = [make() for make in Services(in_govcloud, session=keys).sts_clients]
    assert [client.meta.endpoint_url for client in clients] == [
        "https://sts.us-gov-west-1.amazonaws.com",
        "https://sts.us-gov-east-1.amazonaws.com",
    ]

    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    plain = Services(replace(world.settings, aws_endpoint=None), session=keys)
    assert plain.sts("us-east-1").meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"


def test_a_connection_is_not_made_where_it_could_not_be_used(world: World) -> None:
    """The administrator learns it from the form, not from a verification; nothing is stored."""
    services = Services(
        replace(world.settings, use_fips=True, aws_endpoint=None),
        session=_keys(),
    )
    answer = Client(create_app(services)).http.post(
        "/v1/connections",
        headers={"Authorization": f"Bearer {world.issuer.token('fips')}", "Content-Type": "application/json"},
        body=json.dumps({"name": "x", "region": "eu-central-1"}).encode(),
    )

    assert answer.status_code == 422
    error = answer.json_body["error"]
    assert (error["code"], error["param"]) == ("no_fips_endpoint", "region")

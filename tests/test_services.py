"""The service's own clients of AWS: what the environment says of where they go and through whom is not heard."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import botocore.session

from chalicelib.services import Services
from tests.bedrock.far_side import FarSide, Step

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from sandbox.world import World

NOBODY = "http://127.0.0.1:9"
WHO = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:sts::111122223333:assumed-role/rolecall/x</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"""


def _keys() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.set_credentials("x", "y")
    return session


def test_no_variable_leads_the_own_clients_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS_ENDPOINT_URL_STS would send every customer's external ID wherever it points; a profile may do the same."""
    (tmp_path / "config").write_text(
        f"[default]\nendpoint_url = {NOBODY}\nservices = ours\n[services ours]\nsts =\n  endpoint_url = {NOBODY}\n"
    )
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_DYNAMODB"):
        monkeypatch.setenv(name, NOBODY)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    services = Services(replace(world.settings, aws_endpoint=None), session=_keys())

    made = [*(make() for make in services.sts_clients), services.dynamodb]

    assert [client.meta.endpoint_url for client in made] == [
        "https://sts.us-east-1.amazonaws.com",
        "https://sts.us-west-2.amazonaws.com",
        "https://dynamodb.us-east-1.amazonaws.com",
    ]


def test_no_proxy_of_the_environment_is_between(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is a setting of the operator's; what one would see of these calls is signed with the service's keys."""
    proxy, aws = FarSide(), FarSide(Step(body=WHO, headers={"Content-Type": "text/xml"}))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    try:
        services = Services(replace(world.settings, aws_endpoint=aws.url), session=_keys())
        arn = services.sts("us-east-1").get_caller_identity()["Arn"]
    finally:
        proxy.stop()
        aws.stop()

    assert arn == "arn:aws:sts::111122223333:assumed-role/rolecall/x"
    assert (len(aws.requests), proxy.requests) == (1, [])
